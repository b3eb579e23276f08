//! The names of files, which need not be text.

use std::{
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

/// What begins the names of files that a batch makes for itself. They are never taken for images.
pub(crate) const OWN_PREFIX: &str = ".credlink-";

/// The name as text; what is no UTF-8 in it is replaced.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The bytes of a name that is no text, as hexadecimal digits.
pub(crate) fn hex_unless_text(path: &Path) -> Option<String> {
    path.to_str().is_none().then(|| hex::encode(path.as_os_str().as_encoded_bytes()))
}

/// The name that these bytes are; `None` where names must be text, and they are none.
#[cfg(unix)]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    Some(std::os::unix::ffi::OsStringExt::from_vec(bytes))
}

/// The name that these bytes are; `None` where names must be text, and they are none.
#[cfg(not(unix))]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> Option<OsString> {
    String::from_utf8(bytes).ok().map(OsString::from)
}

/// The path without `.` in it, so that one file is spelled in one way.
pub(crate) fn without_dots(path: &Path) -> PathBuf {
    path.components().filter(|part| *part != Component::CurDir).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_text_keeps_its_bytes() {
        let name = PathBuf::from(from_bytes(b"caf\xe9.jpg".to_vec()).unwrap());
        assert_eq!(text(&name), "caf\u{fffd}.jpg");
        assert_eq!(hex_unless_text(&name).as_deref(), Some("636166e92e6a7067"));
        assert_eq!(hex_unless_text(Path::new("café.jpg")), None);
    }

    #[test]
    fn dots_are_left_out() {
        assert_eq!(without_dots(Path::new("./a/./b.jpg")), Path::new("a/b.jpg"));
    }
}
