//! Black-box tests of the whole: what they drive is the product, so there is nothing here but them.
