using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

#pragma warning disable CA1814 // Prefer jagged arrays over multidimensional

namespace TaskQueue.Storage.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "api_keys",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    name = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tenant = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    hash = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    previous_hash = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: true),
                    previous_until = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    scopes = table.Column<string>(type: "text", nullable: false),
                    queues = table.Column<string>(type: "text", nullable: true),
                    rate = table.Column<string>(type: "text", nullable: true),
                    quota = table.Column<string>(type: "text", nullable: true),
                    expires_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    created_by = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    last_used_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    revoked_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_api_keys", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "attempts",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    task_id = table.Column<Guid>(type: "uuid", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    type = table.Column<int>(type: "integer", nullable: false),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    ended_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    due_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    resumed_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    worker = table.Column<string>(type: "text", nullable: true),
                    error = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_attempts", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "audit",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    actor = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    tenant = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    action = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    target = table.Column<string>(type: "character varying(512)", maxLength: 512, nullable: true),
                    before = table.Column<string>(type: "text", nullable: true),
                    after = table.Column<string>(type: "text", nullable: true),
                    address = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: true),
                    result = table.Column<string>(type: "character varying(512)", maxLength: 512, nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "batch_bad_lines",
                columns: table => new
                {
                    batch_id = table.Column<Guid>(type: "uuid", nullable: false),
                    line = table.Column<int>(type: "integer", nullable: false),
                    custom_id = table.Column<string>(type: "text", nullable: true),
                    code = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    message = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_batch_bad_lines", x => new { x.batch_id, x.line });
                });

            migrationBuilder.CreateTable(
                name: "batch_counts",
                columns: table => new
                {
                    batch_id = table.Column<Guid>(type: "uuid", nullable: false),
                    partition_id = table.Column<int>(type: "integer", nullable: false),
                    line_end = table.Column<int>(type: "integer", nullable: false),
                    count = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_batch_counts", x => new { x.batch_id, x.partition_id, x.line_end });
                });

            migrationBuilder.CreateTable(
                name: "batches",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    state = table.Column<int>(type: "integer", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    endpoint = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: false),
                    completion_window = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: false),
                    input_file_id = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    output_file_id = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: true),
                    error_file_id = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: true),
                    strict = table.Column<bool>(type: "boolean", nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    submitter_key = table.Column<string>(type: "text", nullable: true),
                    metadata = table.Column<string>(type: "text", nullable: true),
                    callback_url = table.Column<string>(type: "text", nullable: true),
                    errors = table.Column<string>(type: "text", nullable: true),
                    model = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    usage = table.Column<string>(type: "text", nullable: true),
                    output_expires_after = table.Column<int>(type: "integer", nullable: true),
                    deduplicate = table.Column<bool>(type: "boolean", nullable: false),
                    retry_of = table.Column<Guid>(type: "uuid", nullable: true),
                    request_key = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: true),
                    total = table.Column<int>(type: "integer", nullable: false),
                    bad_lines = table.Column<int>(type: "integer", nullable: false),
                    completed = table.Column<int>(type: "integer", nullable: false),
                    failed_lines = table.Column<int>(type: "integer", nullable: false),
                    lines_done = table.Column<int>(type: "integer", nullable: false),
                    bytes_done = table.Column<long>(type: "bigint", nullable: false),
                    worked_until = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    deadline_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    in_progress_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    finalizing_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    cancelling_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    finished_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    version = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_batches", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "callbacks",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    subject_id = table.Column<Guid>(type: "uuid", nullable: false),
                    url = table.Column<string>(type: "text", nullable: false),
                    body = table.Column<string>(type: "text", nullable: false),
                    state = table.Column<int>(type: "integer", nullable: false),
                    attempts = table.Column<int>(type: "integer", nullable: false),
                    due_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    log = table.Column<string>(type: "text", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    finished_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    origin = table.Column<string>(type: "character varying(300)", maxLength: 300, nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_callbacks", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "dedupe_keys",
                columns: table => new
                {
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    dedupe_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: false),
                    task_id = table.Column<Guid>(type: "uuid", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_dedupe_keys", x => new { x.queue, x.dedupe_key });
                });

            migrationBuilder.CreateTable(
                name: "failure_groups",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    kind = table.Column<int>(type: "integer", nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    task_name = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    error_type = table.Column<string>(type: "text", nullable: true),
                    message = table.Column<string>(type: "text", nullable: false),
                    state = table.Column<int>(type: "integer", nullable: false),
                    regressed = table.Column<bool>(type: "boolean", nullable: false),
                    count = table.Column<long>(type: "bigint", nullable: false),
                    first_seen_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    last_seen_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    changed_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    versions = table.Column<string>(type: "character varying(505)", maxLength: 505, nullable: true),
                    version = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_failure_groups", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "failure_samples",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    group_id = table.Column<Guid>(type: "uuid", nullable: false),
                    task_id = table.Column<Guid>(type: "uuid", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    worker = table.Column<string>(type: "text", nullable: true),
                    error = table.Column<string>(type: "text", nullable: false),
                    stack = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_failure_samples", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "file_chunks",
                columns: table => new
                {
                    file_id = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    number = table.Column<int>(type: "integer", nullable: false),
                    data = table.Column<byte[]>(type: "bytea", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_file_chunks", x => new { x.file_id, x.number });
                });

            migrationBuilder.CreateTable(
                name: "files",
                columns: table => new
                {
                    id = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    purpose = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    file_name = table.Column<string>(type: "character varying(1024)", maxLength: 1024, nullable: false),
                    bytes = table.Column<long>(type: "bigint", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    request_key = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: true),
                    ready = table.Column<bool>(type: "boolean", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_files", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "operation_tasks",
                columns: table => new
                {
                    operation_id = table.Column<Guid>(type: "uuid", nullable: false),
                    task_id = table.Column<Guid>(type: "uuid", nullable: false),
                    former_state = table.Column<int>(type: "integer", nullable: false),
                    former_queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    former_finished_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    former_payload = table.Column<string>(type: "text", nullable: true),
                    is_done = table.Column<bool>(type: "boolean", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_operation_tasks", x => new { x.operation_id, x.task_id });
                });

            migrationBuilder.CreateTable(
                name: "operations",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    created_by = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    credential = table.Column<string>(type: "character varying(300)", maxLength: 300, nullable: true),
                    access = table.Column<string>(type: "text", nullable: false),
                    action = table.Column<int>(type: "integer", nullable: false),
                    selection = table.Column<string>(type: "text", nullable: false),
                    target_queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    patch = table.Column<string>(type: "text", nullable: true),
                    rate_per_second = table.Column<double>(type: "double precision", nullable: true),
                    state = table.Column<int>(type: "integer", nullable: false),
                    total = table.Column<long>(type: "bigint", nullable: false),
                    total_is_exact = table.Column<bool>(type: "boolean", nullable: false),
                    tasks_done = table.Column<long>(type: "bigint", nullable: false),
                    tasks_skipped = table.Column<long>(type: "bigint", nullable: false),
                    tasks_failed = table.Column<long>(type: "bigint", nullable: false),
                    tasks_undone = table.Column<long>(type: "bigint", nullable: false),
                    last_error = table.Column<string>(type: "text", nullable: true),
                    next_before = table.Column<Guid>(type: "uuid", nullable: true),
                    next_position = table.Column<int>(type: "integer", nullable: false),
                    is_selected = table.Column<bool>(type: "boolean", nullable: false),
                    is_in_step = table.Column<bool>(type: "boolean", nullable: false),
                    is_undo = table.Column<bool>(type: "boolean", nullable: false),
                    kept = table.Column<int>(type: "integer", nullable: false),
                    kept_chars = table.Column<long>(type: "bigint", nullable: false),
                    is_beyond_undo = table.Column<bool>(type: "boolean", nullable: false),
                    faults = table.Column<int>(type: "integer", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    finished_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    due_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    worked_until = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_operations", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "ordering_keys",
                columns: table => new
                {
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    ordering_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_ordering_keys", x => new { x.queue, x.ordering_key });
                });

            migrationBuilder.CreateTable(
                name: "outbox",
                columns: table => new
                {
                    partition_id = table.Column<int>(type: "integer", nullable: false),
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    type = table.Column<int>(type: "integer", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    worker = table.Column<string>(type: "text", nullable: true),
                    dispatch = table.Column<bool>(type: "boolean", nullable: false),
                    frees = table.Column<bool>(type: "boolean", nullable: false),
                    ids = table.Column<Guid[]>(type: "uuid[]", nullable: false),
                    attempts = table.Column<int[]>(type: "integer[]", nullable: false),
                    earlier = table.Column<int[]>(type: "integer[]", nullable: true),
                    due_times = table.Column<DateTime?[]>(type: "timestamp with time zone[]", nullable: true),
                    errors = table.Column<string[]>(type: "text[]", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_outbox", x => new { x.partition_id, x.id });
                });

            migrationBuilder.CreateTable(
                name: "outbox_lease",
                columns: table => new
                {
                    id = table.Column<int>(type: "integer", nullable: false),
                    holder = table.Column<Guid>(type: "uuid", nullable: true),
                    address = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    lease_epoch = table.Column<long>(type: "bigint", nullable: false),
                    held_until = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    timeline = table.Column<string>(type: "character varying(8)", maxLength: 8, nullable: true),
                    begun_at = table.Column<long[]>(type: "bigint[]", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_outbox_lease", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "outbox_partitions",
                columns: table => new
                {
                    id = table.Column<int>(type: "integer", nullable: false),
                    published_to = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_outbox_partitions", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "outcomes",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    state = table.Column<int>(type: "integer", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    result = table.Column<string>(type: "text", nullable: true),
                    error = table.Column<string>(type: "text", nullable: true),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    attempts_left = table.Column<int>(type: "integer", nullable: false),
                    lease_ms = table.Column<int>(type: "integer", nullable: false),
                    worker = table.Column<string>(type: "text", nullable: true),
                    claimed_by = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    due_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    finished_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    dead = table.Column<bool>(type: "boolean", nullable: false),
                    delete_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    progress = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_outcomes", x => x.id);
                    table.CheckConstraint("ck_outcomes_state", "state in (5, 6, 8, 9)");
                });

            migrationBuilder.CreateTable(
                name: "quarantine",
                columns: table => new
                {
                    id = table.Column<long>(type: "bigint", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    kind = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    subject = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    reason = table.Column<string>(type: "text", nullable: false),
                    state = table.Column<string>(type: "text", nullable: true),
                    at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    count = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_quarantine", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "queue_counts",
                columns: table => new
                {
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    partition_id = table.Column<int>(type: "integer", nullable: false),
                    type = table.Column<int>(type: "integer", nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    count = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queue_counts", x => new { x.queue, x.tier, x.partition_id, x.type, x.owner });
                });

            migrationBuilder.CreateTable(
                name: "queue_limits",
                columns: table => new
                {
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    bucket_base = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queue_limits", x => x.queue);
                });

            migrationBuilder.CreateTable(
                name: "queue_locks",
                columns: table => new
                {
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    task_id = table.Column<Guid>(type: "uuid", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    until = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queue_locks", x => new { x.queue, x.tier });
                });

            migrationBuilder.CreateTable(
                name: "queue_statistics",
                columns: table => new
                {
                    step = table.Column<int>(type: "integer", nullable: false),
                    at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    submitted = table.Column<long>(type: "bigint", nullable: false),
                    started = table.Column<long>(type: "bigint", nullable: false),
                    completed = table.Column<long>(type: "bigint", nullable: false),
                    failed = table.Column<long>(type: "bigint", nullable: false),
                    retried = table.Column<long>(type: "bigint", nullable: false),
                    cancelled = table.Column<long>(type: "bigint", nullable: false),
                    expired = table.Column<long>(type: "bigint", nullable: false),
                    runs = table.Column<long>(type: "bigint", nullable: false),
                    run_micros = table.Column<long>(type: "bigint", nullable: false),
                    waiting = table.Column<long>(type: "bigint", nullable: false),
                    oldest_ms = table.Column<long>(type: "bigint", nullable: true),
                    b0 = table.Column<long>(type: "bigint", nullable: false),
                    b1 = table.Column<long>(type: "bigint", nullable: false),
                    b2 = table.Column<long>(type: "bigint", nullable: false),
                    b3 = table.Column<long>(type: "bigint", nullable: false),
                    b4 = table.Column<long>(type: "bigint", nullable: false),
                    b5 = table.Column<long>(type: "bigint", nullable: false),
                    b6 = table.Column<long>(type: "bigint", nullable: false),
                    b7 = table.Column<long>(type: "bigint", nullable: false),
                    b8 = table.Column<long>(type: "bigint", nullable: false),
                    b9 = table.Column<long>(type: "bigint", nullable: false),
                    b10 = table.Column<long>(type: "bigint", nullable: false),
                    b11 = table.Column<long>(type: "bigint", nullable: false),
                    b12 = table.Column<long>(type: "bigint", nullable: false),
                    b13 = table.Column<long>(type: "bigint", nullable: false),
                    b14 = table.Column<long>(type: "bigint", nullable: false),
                    b15 = table.Column<long>(type: "bigint", nullable: false),
                    b16 = table.Column<long>(type: "bigint", nullable: false),
                    b17 = table.Column<long>(type: "bigint", nullable: false),
                    b18 = table.Column<long>(type: "bigint", nullable: false),
                    b19 = table.Column<long>(type: "bigint", nullable: false),
                    b20 = table.Column<long>(type: "bigint", nullable: false),
                    b21 = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queue_statistics", x => new { x.step, x.at, x.queue, x.owner });
                });

            migrationBuilder.CreateTable(
                name: "queues",
                columns: table => new
                {
                    id = table.Column<int>(type: "integer", nullable: false)
                        .Annotation("Npgsql:IdentitySequenceOptions", "'2', '1', '', '', 'False', '1'")
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    name = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    delivery = table.Column<int>(type: "integer", nullable: false),
                    endpoint = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    version = table.Column<int>(type: "integer", nullable: false),
                    settings = table.Column<string>(type: "text", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queues", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "ready",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    state = table.Column<int>(type: "integer", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    priority = table.Column<int>(type: "integer", nullable: false),
                    push = table.Column<bool>(type: "boolean", nullable: false),
                    name = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    dedupe_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    ordering_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    blocked = table.Column<bool>(type: "boolean", nullable: false),
                    error = table.Column<string>(type: "text", nullable: true),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    attempts_left = table.Column<int>(type: "integer", nullable: false),
                    max_attempts = table.Column<int>(type: "integer", nullable: false),
                    retry = table.Column<string>(type: "text", nullable: true),
                    default_lease_ms = table.Column<int>(type: "integer", nullable: false),
                    lease_ms = table.Column<int>(type: "integer", nullable: false),
                    worker = table.Column<string>(type: "text", nullable: true),
                    claimed_by = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    due_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    dispatch_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    ending = table.Column<string>(type: "text", nullable: true),
                    batch_id = table.Column<Guid>(type: "uuid", nullable: true),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    progress = table.Column<string>(type: "text", nullable: true),
                    crashes = table.Column<int>(type: "integer", nullable: false, defaultValue: 0),
                    octets = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_ready", x => x.id);
                    table.CheckConstraint("ck_ready_state", "state in (3, 7)");
                });

            migrationBuilder.CreateTable(
                name: "running",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    priority = table.Column<int>(type: "integer", nullable: false),
                    push = table.Column<bool>(type: "boolean", nullable: false),
                    name = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    dedupe_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    ordering_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    error = table.Column<string>(type: "text", nullable: true),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    attempts_left = table.Column<int>(type: "integer", nullable: false),
                    max_attempts = table.Column<int>(type: "integer", nullable: false),
                    retry = table.Column<string>(type: "text", nullable: true),
                    default_lease_ms = table.Column<int>(type: "integer", nullable: false),
                    lease_ms = table.Column<int>(type: "integer", nullable: false),
                    lease_until = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    worker = table.Column<string>(type: "text", nullable: true),
                    claimed_by = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    due_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    expires_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    limited = table.Column<bool>(type: "boolean", nullable: false),
                    ending = table.Column<string>(type: "text", nullable: true),
                    batch_id = table.Column<Guid>(type: "uuid", nullable: true),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    progress = table.Column<string>(type: "text", nullable: true),
                    crashes = table.Column<int>(type: "integer", nullable: false, defaultValue: 0),
                    octets = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_running", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "schedules",
                columns: table => new
                {
                    id = table.Column<int>(type: "integer", nullable: false)
                        .Annotation("Npgsql:ValueGenerationStrategy", NpgsqlValueGenerationStrategy.IdentityByDefaultColumn),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    name = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    version = table.Column<int>(type: "integer", nullable: false),
                    settings = table.Column<string>(type: "text", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    updated_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    next_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    last_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_schedules", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "session_keys",
                columns: table => new
                {
                    number = table.Column<int>(type: "integer", nullable: false),
                    text = table.Column<string>(type: "text", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_session_keys", x => x.number);
                });

            migrationBuilder.CreateTable(
                name: "task_logs",
                columns: table => new
                {
                    task_id = table.Column<Guid>(type: "uuid", nullable: false),
                    number = table.Column<int>(type: "integer", nullable: false),
                    lines = table.Column<int>(type: "integer", nullable: false),
                    bytes_before = table.Column<long>(type: "bigint", nullable: false),
                    bytes = table.Column<int>(type: "integer", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    entries = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_task_logs", x => new { x.task_id, x.number });
                });

            migrationBuilder.CreateTable(
                name: "task_tags",
                columns: table => new
                {
                    tag = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    task_id = table.Column<Guid>(type: "uuid", nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_task_tags", x => new { x.tag, x.task_id });
                });

            migrationBuilder.CreateTable(
                name: "tasks",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    tier = table.Column<int>(type: "integer", nullable: false),
                    priority = table.Column<int>(type: "integer", nullable: false),
                    push = table.Column<bool>(type: "boolean", nullable: false),
                    name = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    dedupe_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    ordering_key = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    payload = table.Column<string>(type: "text", nullable: false),
                    headers = table.Column<string>(type: "text", nullable: true),
                    max_attempts = table.Column<int>(type: "integer", nullable: false),
                    retry = table.Column<string>(type: "text", nullable: true),
                    default_lease_ms = table.Column<int>(type: "integer", nullable: false),
                    created_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    due_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    ending = table.Column<string>(type: "text", nullable: true),
                    batch_id = table.Column<Guid>(type: "uuid", nullable: true),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    tags = table.Column<string>(type: "text", nullable: true),
                    schedule_id = table.Column<int>(type: "integer", nullable: true),
                    listed_as = table.Column<Guid>(type: "uuid", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_tasks", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "tenant_usage",
                columns: table => new
                {
                    tenant = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    resource = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: false),
                    process = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    amount = table.Column<long>(type: "bigint", nullable: false),
                    updated_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_tenant_usage", x => new { x.tenant, x.resource, x.process });
                });

            migrationBuilder.CreateTable(
                name: "webhook_receivers",
                columns: table => new
                {
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    origin = table.Column<string>(type: "character varying(300)", maxLength: 300, nullable: false),
                    verified_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true),
                    challenged_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_webhook_receivers", x => new { x.owner, x.origin });
                });

            migrationBuilder.CreateTable(
                name: "workers",
                columns: table => new
                {
                    id = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    name = table.Column<string>(type: "character varying(200)", maxLength: 200, nullable: false),
                    owner = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: true),
                    credential = table.Column<string>(type: "character varying(256)", maxLength: 256, nullable: true),
                    transport = table.Column<string>(type: "character varying(16)", maxLength: 16, nullable: true),
                    version = table.Column<string>(type: "character varying(100)", maxLength: 100, nullable: true),
                    host = table.Column<string>(type: "character varying(200)", maxLength: 200, nullable: true),
                    slots = table.Column<int>(type: "integer", nullable: true),
                    instance = table.Column<string>(type: "character varying(64)", maxLength: 64, nullable: true),
                    queues = table.Column<string>(type: "text", nullable: false),
                    started_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    last_seen_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: false),
                    state = table.Column<int>(type: "integer", nullable: false),
                    draining = table.Column<bool>(type: "boolean", nullable: false),
                    lost_retried = table.Column<int>(type: "integer", nullable: false),
                    lost_failed = table.Column<int>(type: "integer", nullable: false),
                    lost_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_workers", x => x.id);
                });

            migrationBuilder.InsertData(
                table: "outbox_lease",
                columns: new[] { "id", "address", "begun_at", "lease_epoch", "held_until", "holder", "timeline" },
                values: new object[] { 1, null, null, 0L, new DateTime(1970, 1, 1, 0, 0, 0, 0, DateTimeKind.Utc), null, null });

            migrationBuilder.InsertData(
                table: "outbox_partitions",
                columns: new[] { "id", "published_to" },
                values: new object[,]
                {
                    { 0, 0L },
                    { 1, 0L },
                    { 2, 0L },
                    { 3, 0L },
                    { 4, 0L },
                    { 5, 0L },
                    { 6, 0L },
                    { 7, 0L },
                    { 8, 0L },
                    { 9, 0L },
                    { 10, 0L },
                    { 11, 0L },
                    { 12, 0L },
                    { 13, 0L },
                    { 14, 0L },
                    { 15, 0L },
                    { 16, 0L },
                    { 17, 0L },
                    { 18, 0L },
                    { 19, 0L },
                    { 20, 0L },
                    { 21, 0L },
                    { 22, 0L },
                    { 23, 0L },
                    { 24, 0L },
                    { 25, 0L },
                    { 26, 0L },
                    { 27, 0L },
                    { 28, 0L },
                    { 29, 0L },
                    { 30, 0L },
                    { 31, 0L },
                    { 32, 0L },
                    { 33, 0L },
                    { 34, 0L },
                    { 35, 0L },
                    { 36, 0L },
                    { 37, 0L },
                    { 38, 0L },
                    { 39, 0L },
                    { 40, 0L },
                    { 41, 0L },
                    { 42, 0L },
                    { 43, 0L },
                    { 44, 0L },
                    { 45, 0L },
                    { 46, 0L },
                    { 47, 0L },
                    { 48, 0L },
                    { 49, 0L },
                    { 50, 0L },
                    { 51, 0L },
                    { 52, 0L },
                    { 53, 0L },
                    { 54, 0L },
                    { 55, 0L },
                    { 56, 0L },
                    { 57, 0L },
                    { 58, 0L },
                    { 59, 0L },
                    { 60, 0L },
                    { 61, 0L },
                    { 62, 0L },
                    { 63, 0L }
                });

            migrationBuilder.InsertData(
                table: "queues",
                columns: new[] { "id", "created_at", "delivery", "endpoint", "name", "owner", "settings", "updated_at", "version" },
                values: new object[] { 1, new DateTime(1970, 1, 1, 0, 0, 0, 0, DateTimeKind.Utc), 1, null, "tasks", null, "{\"Description\":\"\",\"MaxRunning\":0,\"SubmitterToken\":false,\"Paused\":false,\"DeadLetters\":{\"Enabled\":true,\"MaxSize\":0},\"Events\":0}", new DateTime(1970, 1, 1, 0, 0, 0, 0, DateTimeKind.Utc), 1 });

            migrationBuilder.CreateIndex(
                name: "ix_api_keys_hash",
                table: "api_keys",
                column: "hash",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_attempts_task",
                table: "attempts",
                column: "task_id");

            migrationBuilder.CreateIndex(
                name: "ix_audit_at",
                table: "audit",
                column: "at");

            migrationBuilder.CreateIndex(
                name: "ix_audit_tenant",
                table: "audit",
                columns: new[] { "tenant", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_batches_created",
                table: "batches",
                columns: new[] { "created_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_batches_live",
                table: "batches",
                column: "state",
                filter: "state < 8");

            migrationBuilder.CreateIndex(
                name: "ux_batches_request_key",
                table: "batches",
                column: "request_key",
                unique: true,
                filter: "request_key is not null");

            migrationBuilder.CreateIndex(
                name: "ix_callbacks_due",
                table: "callbacks",
                column: "due_at",
                filter: "state = 0");

            migrationBuilder.CreateIndex(
                name: "ix_callbacks_finished",
                table: "callbacks",
                column: "finished_at",
                filter: "finished_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_callbacks_subject",
                table: "callbacks",
                column: "subject_id");

            migrationBuilder.CreateIndex(
                name: "ix_failure_groups_owner",
                table: "failure_groups",
                columns: new[] { "owner", "last_seen_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_failure_groups_seen",
                table: "failure_groups",
                columns: new[] { "last_seen_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_failure_samples_group",
                table: "failure_samples",
                columns: new[] { "group_id", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_files_created",
                table: "files",
                columns: new[] { "created_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_files_expires",
                table: "files",
                column: "expires_at",
                filter: "expires_at is not null");

            migrationBuilder.CreateIndex(
                name: "ux_files_request_key",
                table: "files",
                column: "request_key",
                unique: true,
                filter: "request_key is not null");

            migrationBuilder.CreateIndex(
                name: "ix_operations_finished",
                table: "operations",
                column: "finished_at");

            migrationBuilder.CreateIndex(
                name: "ix_operations_owner",
                table: "operations",
                columns: new[] { "owner", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_outcomes_dead",
                table: "outcomes",
                columns: new[] { "queue", "finished_at", "id" },
                filter: "dead");

            migrationBuilder.CreateIndex(
                name: "ix_outcomes_delete",
                table: "outcomes",
                column: "delete_at",
                filter: "delete_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_outcomes_ended",
                table: "outcomes",
                columns: new[] { "state", "id" },
                filter: "state in (6, 8, 9)");

            migrationBuilder.CreateIndex(
                name: "ix_outcomes_owner",
                table: "outcomes",
                columns: new[] { "owner", "state", "id" },
                filter: "owner is not null");

            migrationBuilder.CreateIndex(
                name: "ix_quarantine_subject",
                table: "quarantine",
                columns: new[] { "kind", "subject" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_queue_counts_owner",
                table: "queue_counts",
                columns: new[] { "owner", "queue" });

            migrationBuilder.CreateIndex(
                name: "ix_queues_name",
                table: "queues",
                column: "name",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_ready_batch",
                table: "ready",
                column: "batch_id",
                filter: "batch_id is not null");

            migrationBuilder.CreateIndex(
                name: "ix_ready_claim",
                table: "ready",
                columns: new[] { "queue", "tier", "priority", "due_at", "created_at", "id" },
                filter: "not blocked");

            migrationBuilder.CreateIndex(
                name: "ix_ready_dispatch",
                table: "ready",
                column: "dispatch_at",
                filter: "dispatch_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_ready_expiry",
                table: "ready",
                column: "expires_at",
                filter: "expires_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_ready_head",
                table: "ready",
                columns: new[] { "queue", "ordering_key" },
                unique: true,
                filter: "ordering_key is not null and not blocked");

            migrationBuilder.CreateIndex(
                name: "ix_ready_ordering_key",
                table: "ready",
                columns: new[] { "queue", "ordering_key", "due_at", "created_at", "id" },
                filter: "ordering_key is not null");

            migrationBuilder.CreateIndex(
                name: "ix_ready_owner",
                table: "ready",
                columns: new[] { "owner", "state", "id" },
                filter: "owner is not null");

            migrationBuilder.CreateIndex(
                name: "ix_ready_retrying",
                table: "ready",
                column: "id",
                filter: "state = 7");

            migrationBuilder.CreateIndex(
                name: "ix_running_batch",
                table: "running",
                column: "batch_id",
                filter: "batch_id is not null");

            migrationBuilder.CreateIndex(
                name: "ix_running_lease",
                table: "running",
                column: "lease_until",
                filter: "lease_until is not null");

            migrationBuilder.CreateIndex(
                name: "ix_running_limited",
                table: "running",
                column: "queue",
                filter: "limited");

            migrationBuilder.CreateIndex(
                name: "ix_running_ordering_key",
                table: "running",
                columns: new[] { "queue", "ordering_key" },
                filter: "ordering_key is not null");

            migrationBuilder.CreateIndex(
                name: "ix_schedules_name",
                table: "schedules",
                columns: new[] { "queue", "name" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_schedules_next",
                table: "schedules",
                column: "next_at",
                filter: "next_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_task_tags_owner",
                table: "task_tags",
                columns: new[] { "owner", "tag", "task_id" },
                filter: "owner is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_batch",
                table: "tasks",
                columns: new[] { "batch_id", "id" },
                filter: "batch_id is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_listed",
                table: "tasks",
                column: "listed_as",
                filter: "listed_as is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_ordering_key",
                table: "tasks",
                columns: new[] { "ordering_key", "id" },
                filter: "ordering_key is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_owner",
                table: "tasks",
                columns: new[] { "owner", "id" },
                filter: "owner is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_owner_listed",
                table: "tasks",
                columns: new[] { "owner", "listed_as" },
                filter: "owner is not null and listed_as is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_queue",
                table: "tasks",
                columns: new[] { "queue", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_tasks_queue_listed",
                table: "tasks",
                columns: new[] { "queue", "listed_as" },
                filter: "listed_as is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_schedule",
                table: "tasks",
                columns: new[] { "schedule_id", "id" },
                filter: "schedule_id is not null");

            migrationBuilder.CreateIndex(
                name: "ix_workers_name",
                table: "workers",
                column: "name");

            migrationBuilder.CreateIndex(
                name: "ix_workers_owner",
                table: "workers",
                columns: new[] { "owner", "started_at", "id" });

            migrationBuilder.CreateIndex(
                name: "ix_workers_started",
                table: "workers",
                columns: new[] { "started_at", "id" });

            migrationBuilder.Sql(
                """
                create view waiting_tasks as
                select ready.id, ready.state, ready.queue, ready.tier, ready.priority, ready.push, ready.name, ready.dedupe_key,
                    ready.ordering_key, ready.blocked, t.payload, t.headers, null::text as result, ready.error, ready.attempt,
                    ready.attempts_left, ready.max_attempts, ready.retry, ready.default_lease_ms, ready.lease_ms,
                    null::timestamptz as lease_until, ready.worker, ready.claimed_by, ready.created_at, ready.due_at, ready.expires_at,
                    ready.started_at, null::timestamptz as finished_at, false as limited, false as dead, null::timestamptz as delete_at,
                    ready.dispatch_at, ready.ending, ready.batch_id, ready.owner, t.tags, t.schedule_id, t.listed_as, ready.progress
                from ready join tasks t on t.id = ready.id;
                """);
            migrationBuilder.Sql(
                """
                create view running_tasks as
                select running.id, 4 as state, running.queue, running.tier, running.priority, running.push, running.name,
                    running.dedupe_key, running.ordering_key, false as blocked, t.payload, t.headers, null::text as result,
                    running.error, running.attempt, running.attempts_left, running.max_attempts, running.retry, running.default_lease_ms,
                    running.lease_ms, running.lease_until, running.worker, running.claimed_by, running.created_at, running.due_at,
                    running.expires_at, running.started_at, null::timestamptz as finished_at, running.limited, false as dead,
                    null::timestamptz as delete_at, null::timestamptz as dispatch_at, running.ending, running.batch_id, running.owner,
                    t.tags, t.schedule_id, t.listed_as,
                    running.progress
                from running join tasks t on t.id = running.id;
                """);
            migrationBuilder.Sql(
                """
                create view ended_tasks as
                select outcomes.id, outcomes.state, outcomes.queue, outcomes.tier, t.priority, t.push, t.name, t.dedupe_key,
                    t.ordering_key, false as blocked, t.payload, t.headers, outcomes.result, outcomes.error, outcomes.attempt,
                    outcomes.attempts_left, t.max_attempts, t.retry, t.default_lease_ms, outcomes.lease_ms,
                    null::timestamptz as lease_until, outcomes.worker, outcomes.claimed_by, t.created_at, outcomes.due_at,
                    outcomes.expires_at, outcomes.started_at, outcomes.finished_at, false as limited, outcomes.dead, outcomes.delete_at,
                    null::timestamptz as dispatch_at, t.ending, t.batch_id, outcomes.owner, t.tags,
                    t.schedule_id, t.listed_as, outcomes.progress
                from outcomes join tasks t on t.id = outcomes.id;
                """);
            migrationBuilder.Sql(
                """
                create view all_tasks as
                select id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, payload, headers, result, error,
                    attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at,
                    due_at, expires_at, started_at, finished_at, limited, dead, delete_at, dispatch_at, ending, batch_id, owner,
                    tags, schedule_id, listed_as,
                    progress from waiting_tasks
                union all
                select id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, payload, headers, result, error,
                    attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at,
                    due_at, expires_at, started_at, finished_at, limited, dead, delete_at, dispatch_at, ending, batch_id, owner,
                    tags, schedule_id, listed_as,
                    progress from running_tasks
                union all
                select id, state, queue, tier, priority, push, name, dedupe_key, ordering_key, blocked, payload, headers, result, error,
                    attempt, attempts_left, max_attempts, retry, default_lease_ms, lease_ms, lease_until, worker, claimed_by, created_at,
                    due_at, expires_at, started_at, finished_at, limited, dead, delete_at, dispatch_at, ending, batch_id, owner,
                    tags, schedule_id, listed_as,
                    progress from ended_tasks;
                """);

            // Rows of these tables come and go: vacuum follows soon, and without pauses.
            foreach (var table in new[] { "ready", "running", "outbox" })
            {
                migrationBuilder.Sql($"alter table {table} set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000, "
                    + "autovacuum_vacuum_cost_delay = 0);");
            }

            migrationBuilder.Sql("alter table running set (fillfactor = 80);");
            migrationBuilder.Sql("alter table queue_counts set (fillfactor = 50);");
            migrationBuilder.Sql("alter table outbox alter ids set storage external;"); // ids do not compress

            // Several times as fast as the default; a server may be built without it.
            migrationBuilder.Sql(
                """
                do $$
                begin
                    alter table tasks alter payload set compression lz4;
                    alter table outcomes alter result set compression lz4;
                    alter table file_chunks alter data set compression lz4;
                exception when feature_not_supported then null;
                end
                $$;
                """);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            foreach (var view in new[] { "all_tasks", "ended_tasks", "running_tasks", "waiting_tasks" })
                migrationBuilder.Sql($"drop view {view};");

            migrationBuilder.DropTable(
                name: "api_keys");

            migrationBuilder.DropTable(
                name: "attempts");

            migrationBuilder.DropTable(
                name: "audit");

            migrationBuilder.DropTable(
                name: "batch_bad_lines");

            migrationBuilder.DropTable(
                name: "batch_counts");

            migrationBuilder.DropTable(
                name: "batches");

            migrationBuilder.DropTable(
                name: "callbacks");

            migrationBuilder.DropTable(
                name: "dedupe_keys");

            migrationBuilder.DropTable(
                name: "failure_groups");

            migrationBuilder.DropTable(
                name: "failure_samples");

            migrationBuilder.DropTable(
                name: "file_chunks");

            migrationBuilder.DropTable(
                name: "files");

            migrationBuilder.DropTable(
                name: "operation_tasks");

            migrationBuilder.DropTable(
                name: "operations");

            migrationBuilder.DropTable(
                name: "ordering_keys");

            migrationBuilder.DropTable(
                name: "outbox");

            migrationBuilder.DropTable(
                name: "outbox_lease");

            migrationBuilder.DropTable(
                name: "outbox_partitions");

            migrationBuilder.DropTable(
                name: "outcomes");

            migrationBuilder.DropTable(
                name: "quarantine");

            migrationBuilder.DropTable(
                name: "queue_counts");

            migrationBuilder.DropTable(
                name: "queue_limits");

            migrationBuilder.DropTable(
                name: "queue_locks");

            migrationBuilder.DropTable(
                name: "queue_statistics");

            migrationBuilder.DropTable(
                name: "queues");

            migrationBuilder.DropTable(
                name: "ready");

            migrationBuilder.DropTable(
                name: "running");

            migrationBuilder.DropTable(
                name: "schedules");

            migrationBuilder.DropTable(
                name: "session_keys");

            migrationBuilder.DropTable(
                name: "task_logs");

            migrationBuilder.DropTable(
                name: "task_tags");

            migrationBuilder.DropTable(
                name: "tasks");

            migrationBuilder.DropTable(
                name: "tenant_usage");

            migrationBuilder.DropTable(
                name: "webhook_receivers");

            migrationBuilder.DropTable(
                name: "workers");
        }
    }
}
