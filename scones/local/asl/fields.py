"""Which fields each state type has, in which query language, and of which JSON type.

https://docs.aws.amazon.com/step-functions/latest/dg/workflow-states.html
"""

from typing import Any

BOTH = ("Comment", "Type", "QueryLanguage")
_MOVES = ("Next", "End")
_PATHS = ("InputPath", "OutputPath")
_RESULT = ("ResultSelector", "ResultPath")
_FAILS = ("Retry", "Catch")

COMMON: dict[str, tuple[str, ...]] = {
    "Pass": (*_MOVES, "Assign"),
    "Task": (
        *_MOVES, *_FAILS, "Assign", "Resource", "TimeoutSeconds", "HeartbeatSeconds", "Credentials",
    ),
    "Choice": ("Choices", "Default", "Assign"),
    "Wait": (*_MOVES, "Seconds", "Timestamp", "Assign"),
    "Succeed": (),
    "Fail": ("Error", "Cause"),
    "Parallel": (*_MOVES, *_FAILS, "Branches", "Assign"),
    "Map": (
        *_MOVES, *_FAILS, "Assign", "ItemProcessor", "Iterator", "ItemReader", "ItemSelector",
        "ItemBatcher", "ResultWriter", "MaxConcurrency", "ToleratedFailureCount",
        "ToleratedFailurePercentage", "Label",
    ),
}  # fmt: skip
"""In either language."""

JSONPATH: dict[str, tuple[str, ...]] = {
    "Pass": (*_PATHS, "Parameters", "Result", "ResultPath"),
    "Task": (*_PATHS, *_RESULT, "Parameters", "TimeoutSecondsPath", "HeartbeatSecondsPath"),
    "Choice": _PATHS,
    "Wait": (*_PATHS, "SecondsPath", "TimestampPath"),
    "Succeed": _PATHS,
    "Fail": ("ErrorPath", "CausePath"),
    "Parallel": (*_PATHS, *_RESULT, "Parameters"),
    "Map": (
        *_PATHS, *_RESULT, "Parameters", "ItemsPath", "MaxConcurrencyPath",
        "ToleratedFailureCountPath", "ToleratedFailurePercentagePath",
    ),
}  # fmt: skip

JSONATA: dict[str, tuple[str, ...]] = {
    "Pass": ("Output",),
    "Task": ("Output", "Arguments"),
    "Choice": ("Output",),
    "Wait": ("Output",),
    "Succeed": ("Output",),
    "Fail": (),
    "Parallel": ("Output", "Arguments"),
    "Map": ("Output", "Items"),
}

REQUIRED: dict[str, tuple[str, ...]] = {
    "Task": ("Resource",),
    "Choice": ("Choices",),
    "Parallel": ("Branches",),
}

KINDS: dict[str, tuple[str, ...]] = {
    "Comment": ("string",),
    "Next": ("string",),
    "End": ("boolean",),
    "Default": ("string",),
    "Resource": ("string",),
    "InputPath": ("string", "null"),
    "OutputPath": ("string", "null"),
    "ResultPath": ("string", "null"),
    "ItemsPath": ("string",),
    "SecondsPath": ("string",),
    "TimestampPath": ("string",),
    "ErrorPath": ("string",),
    "CausePath": ("string",),
    "TimeoutSecondsPath": ("string",),
    "HeartbeatSecondsPath": ("string",),
    "MaxConcurrencyPath": ("string",),
    "ToleratedFailureCountPath": ("string",),
    "ToleratedFailurePercentagePath": ("string",),
    "Error": ("string",),
    "Cause": ("string",),
    "Timestamp": ("string",),
    "Label": ("string",),
    "Seconds": ("number", "expression"),
    "TimeoutSeconds": ("number", "expression"),
    "HeartbeatSeconds": ("number", "expression"),
    "MaxConcurrency": ("number", "expression"),
    "ToleratedFailureCount": ("number", "expression"),
    "ToleratedFailurePercentage": ("number", "expression"),
    "ResultSelector": ("object",),
    "Choices": ("array",),
    "Branches": ("array",),
    "Retry": ("array",),
    "Catch": ("array",),
    "Assign": ("object",),
    "ItemProcessor": ("object",),
    "Iterator": ("object",),
    "ItemReader": ("object",),
    "ItemBatcher": ("object",),
    "ResultWriter": ("object",),
    "Credentials": ("object",),
    "Items": ("array", "expression", "object"),
}
"""The JSON types a field takes; "expression" is a JSONata string. Others take anything."""

_READER_CONFIG = {
    "InputType": frozenset({"JSON", "JSONL", "CSV", "MANIFEST", "PARQUET"}),
    "MaxItems": ("number", "expression"),
    "MaxItemsPath": ("string",),
    "CSVHeaderLocation": frozenset({"FIRST_ROW", "GIVEN"}),
    "CSVHeaders": ("array",),
    "CSVDelimiter": frozenset({"COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"}),
    "ItemsPointer": ("string",),
    "ManifestType": frozenset({"S3_INVENTORY", "ATHENA_DATA"}),
    "Transformation": frozenset({"NONE", "LOAD_AND_FLATTEN"}),
    "ExpectedBucketOwner": ("string",),
}
_WRITER_CONFIG = {
    "Transformation": frozenset({"NONE", "COMPACT", "FLATTEN"}),
    "OutputType": frozenset({"JSON", "JSONL"}),
}
NESTED: dict[str, dict[str, Any]] = {
    "ItemReader": {
        "Resource": (),
        "Parameters": ("object",),
        "Arguments": ("object", "expression"),
        "ReaderConfig": _READER_CONFIG,
    },
    "ItemBatcher": {
        "BatchInput": ("object", "expression"),
        "MaxItemsPerBatch": ("number", "expression"),
        "MaxItemsPerBatchPath": ("string",),
        "MaxInputBytesPerBatch": ("number", "expression"),
        "MaxInputBytesPerBatchPath": ("string",),
    },
    "ResultWriter": {
        "Resource": (),
        "Parameters": ("object",),
        "Arguments": ("object", "expression"),
        "WriterConfig": _WRITER_CONFIG,
    },
}
"""Members of the objects in a Map: JSON types as in KINDS, allowed values, or members again."""

PATHS = ("InputPath", "OutputPath", "ItemsPath", "SecondsPath", "TimestampPath",
         "TimeoutSecondsPath", "HeartbeatSecondsPath", "MaxConcurrencyPath",
         "ToleratedFailureCountPath", "ToleratedFailurePercentagePath")  # fmt: skip

EXCLUSIVE = (
    ("TimeoutSeconds", "TimeoutSecondsPath"),
    ("HeartbeatSeconds", "HeartbeatSecondsPath"),
    ("MaxConcurrency", "MaxConcurrencyPath"),
    ("ToleratedFailureCount", "ToleratedFailureCountPath"),
    ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
    ("Error", "ErrorPath"),
    ("Cause", "CausePath"),
    ("Next", "End"),
    ("ItemProcessor", "Iterator"),
)
WAITS = ("Seconds", "SecondsPath", "Timestamp", "TimestampPath")

MACHINE = ("Comment", "StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage")
PROCESSOR = (*MACHINE, "ProcessorConfig")

OPTIMIZED: dict[str, frozenset[str]] = {
    "apigateway": frozenset({"invoke"}),
    "athena": frozenset(
        {"startQueryExecution", "stopQueryExecution", "getQueryExecution", "getQueryResults"}
    ),
    "batch": frozenset({"submitJob"}),
    "bedrock": frozenset({"invokeModel", "createModelCustomizationJob"}),
    "codebuild": frozenset({"startBuild", "stopBuild", "batchDeleteBuilds", "batchGetReports"}),
    "databrew": frozenset({"startJobRun"}),
    "dynamodb": frozenset({"getItem", "putItem", "deleteItem", "updateItem"}),
    "ecs": frozenset({"runTask"}),
    "eks": frozenset(
        {"call", "runJob", "createCluster", "deleteCluster", "createFargateProfile",
         "deleteFargateProfile", "createNodegroup", "deleteNodegroup"}
    ),
    "elasticmapreduce": frozenset(
        {"createCluster", "setClusterTerminationProtection", "terminateCluster", "addStep",
         "cancelStep", "modifyInstanceFleetByName", "modifyInstanceGroupByName"}
    ),
    "emr-containers": frozenset(
        {"createVirtualCluster", "deleteVirtualCluster", "startJobRun"}
    ),
    "emr-serverless": frozenset(
        {"createApplication", "startApplication", "stopApplication", "deleteApplication",
         "startJobRun", "cancelJobRun"}
    ),
    "events": frozenset({"putEvents"}),
    "glue": frozenset({"startJobRun"}),
    "http": frozenset({"invoke"}),
    "lambda": frozenset({"invoke"}),
    "mediaconvert": frozenset({"createJob"}),
    "sagemaker": frozenset(
        {"createEndpoint", "createEndpointConfig", "createHyperParameterTuningJob",
         "createLabelingJob", "createModel", "createProcessingJob", "createTrainingJob",
         "createTransformJob", "updateEndpoint"}
    ),
    "sns": frozenset({"publish"}),
    "sqs": frozenset({"sendMessage"}),
    "states": frozenset({"startExecution"}),
}  # fmt: skip
"""https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html"""

WITHOUT_JOBS = frozenset(
    {"apigateway", "dynamodb", "events", "http", "lambda", "sns", "sqs", "createEndpoint",
     "createEndpointConfig", "createModel", "updateEndpoint"}
)  # fmt: skip
"""Services, and actions of SageMaker, that have nothing `.sync` could wait for; source as above."""
