using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace TaskQueue.Engine.Storage.Sqlite.Migrations
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
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "ending",
                table: "tasks",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "owner",
                table: "queues",
                type: "TEXT",
                maxLength: 128,
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "level",
                table: "queue_counts",
                type: "INTEGER",
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
                    batch_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    line = table.Column<int>(type: "INTEGER", nullable: false),
                    custom_id = table.Column<string>(type: "TEXT", nullable: true),
                    code = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    message = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_batch_bad_lines", x => new { x.batch_id, x.line });
                });

            migrationBuilder.CreateTable(
                name: "batch_counts",
                columns: table => new
                {
                    batch_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    stream = table.Column<int>(type: "INTEGER", nullable: false),
                    line_end = table.Column<int>(type: "INTEGER", nullable: false),
                    count = table.Column<int>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_batch_counts", x => new { x.batch_id, x.stream, x.line_end });
                });

            migrationBuilder.CreateTable(
                name: "batches",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "TEXT", nullable: false),
                    state = table.Column<int>(type: "INTEGER", nullable: false),
                    queue = table.Column<string>(type: "TEXT", maxLength: 128, nullable: false),
                    level = table.Column<int>(type: "INTEGER", nullable: false),
                    endpoint = table.Column<string>(type: "TEXT", maxLength: 256, nullable: false),
                    completion_window = table.Column<string>(type: "TEXT", maxLength: 16, nullable: false),
                    input_file_id = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    output_file_id = table.Column<string>(type: "TEXT", maxLength: 64, nullable: true),
                    error_file_id = table.Column<string>(type: "TEXT", maxLength: 64, nullable: true),
                    strict = table.Column<bool>(type: "INTEGER", nullable: false),
                    owner = table.Column<string>(type: "TEXT", maxLength: 128, nullable: true),
                    submitter_key = table.Column<string>(type: "TEXT", nullable: true),
                    metadata = table.Column<string>(type: "TEXT", nullable: true),
                    callback_url = table.Column<string>(type: "TEXT", nullable: true),
                    errors = table.Column<string>(type: "TEXT", nullable: true),
                    total = table.Column<int>(type: "INTEGER", nullable: false),
                    bad_lines = table.Column<int>(type: "INTEGER", nullable: false),
                    completed = table.Column<int>(type: "INTEGER", nullable: false),
                    failed_lines = table.Column<int>(type: "INTEGER", nullable: false),
                    lines_done = table.Column<int>(type: "INTEGER", nullable: false),
                    bytes_done = table.Column<long>(type: "INTEGER", nullable: false),
                    worked_until = table.Column<long>(type: "INTEGER", nullable: true),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    deadline_at = table.Column<long>(type: "INTEGER", nullable: false),
                    in_progress_at = table.Column<long>(type: "INTEGER", nullable: true),
                    finalizing_at = table.Column<long>(type: "INTEGER", nullable: true),
                    cancelling_at = table.Column<long>(type: "INTEGER", nullable: true),
                    finished_at = table.Column<long>(type: "INTEGER", nullable: true),
                    version = table.Column<int>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_batches", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "callbacks",
                columns: table => new
                {
                    id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    subject_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    url = table.Column<string>(type: "TEXT", nullable: false),
                    body = table.Column<string>(type: "TEXT", nullable: false),
                    state = table.Column<int>(type: "INTEGER", nullable: false),
                    attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    due_at = table.Column<long>(type: "INTEGER", nullable: false),
                    log = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    finished_at = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_callbacks", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "file_chunks",
                columns: table => new
                {
                    file_id = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    number = table.Column<int>(type: "INTEGER", nullable: false),
                    data = table.Column<byte[]>(type: "BLOB", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_file_chunks", x => new { x.file_id, x.number });
                });

            migrationBuilder.CreateTable(
                name: "files",
                columns: table => new
                {
                    id = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    owner = table.Column<string>(type: "TEXT", maxLength: 128, nullable: true),
                    purpose = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    file_name = table.Column<string>(type: "TEXT", maxLength: 1024, nullable: false),
                    bytes = table.Column<long>(type: "INTEGER", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    ready = table.Column<bool>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_files", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "queue_locks",
                columns: table => new
                {
                    queue = table.Column<string>(type: "TEXT", maxLength: 128, nullable: false),
                    level = table.Column<int>(type: "INTEGER", nullable: false),
                    task_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    attempt = table.Column<int>(type: "INTEGER", nullable: false),
                    until = table.Column<long>(type: "INTEGER", nullable: false)
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
