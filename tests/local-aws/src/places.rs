//! Tables and buckets of a test's own.

use aws_sdk_dynamodb::{
    error::SdkError,
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType},
};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use uuid::Uuid;

use crate::{LocalAws, REGION};

impl LocalAws {
    /// Makes an empty table with the keys `pk` and `sk`, like the one of the deployed service; its name. Nothing
    /// expires in it.
    pub async fn make_table(&self) -> String {
        let name = fresh_name();
        let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
        let text = |name: &str| {
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
        };
        let made = aws_sdk_dynamodb::Client::new(&self.sdk_config())
            .create_table()
            .table_name(&name)
            .key_schema(key("pk", KeyType::Hash).unwrap())
            .key_schema(key("sk", KeyType::Range).unwrap())
            .attribute_definitions(text("pk").unwrap())
            .attribute_definitions(text("sk").unwrap())
            .billing_mode(BillingMode::PayPerRequest)
            .send()
            .await;
        // The name is new: it is there when the answer came too late and the client asked once more.
        if let Err(error) = made.map_err(SdkError::into_service_error) {
            assert!(error.is_resource_in_use_exception(), "{error:?}");
        }
        name
    }

    /// Makes an empty bucket; its name.
    pub async fn make_bucket(&self) -> String {
        let name = fresh_name();
        let region = BucketLocationConstraint::from(REGION);
        let made = credlink_aws::s3(&self.sdk_config())
            .create_bucket()
            .bucket(&name)
            .create_bucket_configuration(
                CreateBucketConfiguration::builder().location_constraint(region).build(),
            )
            .send()
            .await;
        if let Err(error) = made.map_err(SdkError::into_service_error) {
            assert!(error.is_bucket_already_owned_by_you(), "{error:?}");
        }
        name
    }
}

fn fresh_name() -> String {
    format!("test-{}", Uuid::new_v4())
}
