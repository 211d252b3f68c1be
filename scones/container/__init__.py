"""SageMaker's container contract around the model."""
