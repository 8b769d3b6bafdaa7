//! The table of variables, for the README and for whoever asks.

/// A variable's name, its default in words, and what it means.
pub type Variable = (&'static str, &'static str, &'static str);

/// Every variable that the server reads.
pub const VARIABLES: &[Variable] = &[
    ("OUTLAST_ADDR", "127.0.0.1:3000", "listen address; under the Lambda Web Adapter its port decides"),
    ("AWS_LWA_PORT", "", "the Lambda Web Adapter's port; it wins over OUTLAST_ADDR"),
    ("PORT", "8080 on Lambda", "as AWS_LWA_PORT, read on Lambda only"),
    ("AWS_LAMBDA_FUNCTION_NAME", "", "set by Lambda itself: where it is set, OUTLAST_SECRET is required"),
    ("OUTLAST_STORE", "embedded; dynamodb in the Lambda artifact", "embedded or dynamodb"),
    ("OUTLAST_DATA_DIR", "./data", "the embedded store and the generated secret"),
    ("OUTLAST_TABLE", "outlast", "the table's name"),
    ("AWS_ENDPOINT_URL_DYNAMODB", "", "a DynamoDB elsewhere than in AWS, such as DynamoDB Local"),
    ("AWS_ENDPOINT_URL", "", "as AWS_ENDPOINT_URL_DYNAMODB, where that is not set"),
    ("AWS_REGION", "us-east-1 with an endpoint of one's own", "the table's region"),
    ("AWS_DEFAULT_REGION", "", "as AWS_REGION, where that is not set"),
    ("AWS_ACCESS_KEY_ID", "", "the AWS key"),
    ("AWS_SECRET_ACCESS_KEY", "", "the AWS key's secret"),
    ("AWS_SESSION_TOKEN", "", "the AWS key's session token, where it has one"),
    ("ANTHROPIC_API_KEY", "", "without it and ANTHROPIC_BASE_URL the server starts its own simulator"),
    ("ANTHROPIC_BASE_URL", "https://api.anthropic.com", "anything that speaks the Messages API"),
    ("OUTLAST_MODEL", "claude-sonnet-5-5", "the default model"),
    ("OUTLAST_MAX_TOKENS", "32000 or the model's own", "most tokens of one reply"),
    ("OUTLAST_THINKING", "off", "off or adaptive"),
    (
        "OUTLAST_SECRET",
        "generated and kept in the data directory",
        "signs cookies: any text of 32 bytes and more; several, separated by commas: the first signs, all verify; required on Lambda",
    ),
    ("OUTLAST_LEASE_MS", "10000", "a turn's log that stands still so long is abandoned; 1000 or more"),
    ("OUTLAST_FLUSH_MS", "300", "text is stored at least this often; at most a third of the lease"),
    ("OUTLAST_RUN_SECONDS", "on Lambda the deadline less 30 s", "longest run of one runner before it hands over"),
    ("OUTLAST_TURN_MINUTES", "120", "longest turn"),
    ("OUTLAST_STALL_MS", "60000", "no content from Claude for so long is a fault"),
    ("OUTLAST_RETENTION_DAYS", "365", "after so many days what was stored disappears"),
    ("OUTLAST_QUEUE_URL", "a queue in the process", "SQS, for jobs and for turns that nobody follows"),
    ("AWS_ENDPOINT_URL_SQS", "", "an SQS elsewhere than in AWS; AWS_ENDPOINT_URL where that is not set"),
    ("OUTLAST_WORKERS", "10", "turns that one process works on at once, out of the queue"),
    ("OUTLAST_WEBHOOK_SECRET", "follows from OUTLAST_SECRET", "signs webhooks"),
    ("OUTLAST_WEBHOOKS", "public", "public or any: whether webhooks may go to private addresses"),
    ("OUTLAST_MAX_PROMPT_CHARS", "200000", "longest prompt, in characters"),
    ("OUTLAST_MAX_BODY_BYTES", "3145728", "largest request body"),
    ("OUTLAST_MAX_TITLE_CHARS", "200", "longest title, in characters"),
    ("OUTLAST_SITE", "site beside the executable", "the built browser half"),
    ("OUTLAST_LOG", "text on a terminal, else json", "json or text"),
];
