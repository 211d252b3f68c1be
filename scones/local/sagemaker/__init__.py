"""What SageMaker does here: run training jobs, serve endpoints, capture what they say."""
