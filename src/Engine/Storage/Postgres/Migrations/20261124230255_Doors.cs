using System;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql.EntityFrameworkCore.PostgreSQL.Metadata;

#nullable disable

namespace TaskQueue.Engine.Storage.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Doors : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropPrimaryKey(
                name: "PK_queue_counts",
                table: "queue_counts");

            migrationBuilder.AddColumn<Guid>(
                name: "batch_id",
                table: "tasks",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "ending",
                table: "tasks",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "owner",
                table: "queues",
                type: "character varying(128)",
                maxLength: 128,
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "level",
                table: "queue_counts",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddPrimaryKey(
                name: "PK_queue_counts",
                table: "queue_counts",
                columns: new[] { "queue", "level", "stream", "type" });

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
                    stream = table.Column<int>(type: "integer", nullable: false),
                    line_end = table.Column<int>(type: "integer", nullable: false),
                    count = table.Column<int>(type: "integer", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_batch_counts", x => new { x.batch_id, x.stream, x.line_end });
                });

            migrationBuilder.CreateTable(
                name: "batches",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "uuid", nullable: false),
                    state = table.Column<int>(type: "integer", nullable: false),
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    level = table.Column<int>(type: "integer", nullable: false),
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
                    finished_at = table.Column<DateTime>(type: "timestamp with time zone", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_callbacks", x => x.id);
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
                    ready = table.Column<bool>(type: "boolean", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_files", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "queue_locks",
                columns: table => new
                {
                    queue = table.Column<string>(type: "character varying(128)", maxLength: 128, nullable: false),
                    level = table.Column<int>(type: "integer", nullable: false),
                    task_id = table.Column<Guid>(type: "uuid", nullable: false),
                    attempt = table.Column<int>(type: "integer", nullable: false),
                    until = table.Column<DateTime>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queue_locks", x => new { x.queue, x.level });
                });

            migrationBuilder.UpdateData(
                table: "queues",
                keyColumn: "id",
                keyValue: 1,
                column: "owner",
                value: null);

            migrationBuilder.CreateIndex(
                name: "ix_tasks_batch",
                table: "tasks",
                columns: new[] { "batch_id", "id" },
                filter: "batch_id is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_batch_live",
                table: "tasks",
                column: "batch_id",
                filter: "batch_id is not null and state in (3, 4, 7)");

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
                name: "ix_files_created",
                table: "files",
                columns: new[] { "created_at", "id" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "batch_bad_lines");

            migrationBuilder.DropTable(
                name: "batch_counts");

            migrationBuilder.DropTable(
                name: "batches");

            migrationBuilder.DropTable(
                name: "callbacks");

            migrationBuilder.DropTable(
                name: "file_chunks");

            migrationBuilder.DropTable(
                name: "files");

            migrationBuilder.DropTable(
                name: "queue_locks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_batch",
                table: "tasks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_batch_live",
                table: "tasks");

            migrationBuilder.DropPrimaryKey(
                name: "PK_queue_counts",
                table: "queue_counts");

            migrationBuilder.DropColumn(
                name: "batch_id",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "ending",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "owner",
                table: "queues");

            migrationBuilder.DropColumn(
                name: "level",
                table: "queue_counts");

            migrationBuilder.AddPrimaryKey(
                name: "PK_queue_counts",
                table: "queue_counts",
                columns: new[] { "queue", "stream", "type" });
        }
    }
}
