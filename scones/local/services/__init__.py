"""The services: each is the boto3 client, inside out."""
