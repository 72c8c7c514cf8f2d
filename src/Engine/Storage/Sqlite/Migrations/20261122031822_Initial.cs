using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

#pragma warning disable CA1814 // Prefer jagged arrays over multidimensional

namespace TaskQueue.Engine.Storage.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class Initial : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "event_streams",
                columns: table => new
                {
                    id = table.Column<int>(type: "INTEGER", nullable: false),
                    cursor = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_event_streams", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "queues",
                columns: table => new
                {
                    id = table.Column<int>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    name = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    delivery = table.Column<int>(type: "INTEGER", nullable: false),
                    endpoint = table.Column<string>(type: "TEXT", maxLength: 256, nullable: true),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queues", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "task_events",
                columns: table => new
                {
                    id = table.Column<long>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    stream = table.Column<int>(type: "INTEGER", nullable: false),
                    task_id = table.Column<Guid>(type: "TEXT", nullable: false),
                    type = table.Column<int>(type: "INTEGER", nullable: false),
                    queue = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    level = table.Column<int>(type: "INTEGER", nullable: false),
                    attempt = table.Column<int>(type: "INTEGER", nullable: false),
                    worker = table.Column<string>(type: "TEXT", nullable: true),
                    error = table.Column<string>(type: "TEXT", nullable: true),
                    at = table.Column<long>(type: "INTEGER", nullable: false),
                    due_at = table.Column<long>(type: "INTEGER", nullable: true),
                    dispatch = table.Column<bool>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_task_events", x => x.id);
                });

            migrationBuilder.CreateTable(
                name: "tasks",
                columns: table => new
                {
                    id = table.Column<Guid>(type: "TEXT", nullable: false),
                    state = table.Column<int>(type: "INTEGER", nullable: false),
                    queue = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    level = table.Column<int>(type: "INTEGER", nullable: false),
                    priority = table.Column<int>(type: "INTEGER", nullable: false),
                    push = table.Column<bool>(type: "INTEGER", nullable: false),
                    name = table.Column<string>(type: "TEXT", maxLength: 256, nullable: true),
                    payload = table.Column<string>(type: "TEXT", nullable: false),
                    headers = table.Column<string>(type: "TEXT", nullable: true),
                    result = table.Column<string>(type: "TEXT", nullable: true),
                    error = table.Column<string>(type: "TEXT", nullable: true),
                    attempt = table.Column<int>(type: "INTEGER", nullable: false),
                    attempts_left = table.Column<int>(type: "INTEGER", nullable: false),
                    max_attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    lease_ms = table.Column<int>(type: "INTEGER", nullable: false),
                    lease_until = table.Column<long>(type: "INTEGER", nullable: true),
                    worker = table.Column<string>(type: "TEXT", nullable: true),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    due_at = table.Column<long>(type: "INTEGER", nullable: false),
                    expires_at = table.Column<long>(type: "INTEGER", nullable: true),
                    started_at = table.Column<long>(type: "INTEGER", nullable: true),
                    finished_at = table.Column<long>(type: "INTEGER", nullable: true),
                    dispatch_at = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_tasks", x => x.id);
                });

            migrationBuilder.InsertData(
                table: "event_streams",
                columns: new[] { "id", "cursor" },
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
                columns: new[] { "id", "created_at", "delivery", "endpoint", "name" },
                values: new object[] { 1, 0L, 1, null, "tasks" });

            migrationBuilder.CreateIndex(
                name: "ix_queues_name",
                table: "queues",
                column: "name",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "ix_task_events_task",
                table: "task_events",
                column: "task_id");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_claim",
                table: "tasks",
                columns: new[] { "queue", "level", "priority", "due_at", "id" },
                filter: "state in (3, 7) and not push");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_dispatch",
                table: "tasks",
                column: "dispatch_at",
                filter: "dispatch_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_ended",
                table: "tasks",
                columns: new[] { "state", "id" },
                filter: "state in (6, 8, 9)");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_expiry",
                table: "tasks",
                column: "expires_at",
                filter: "state in (3, 7) and expires_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_lease",
                table: "tasks",
                column: "lease_until",
                filter: "state = 4");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "event_streams");

            migrationBuilder.DropTable(
                name: "queues");

            migrationBuilder.DropTable(
                name: "task_events");

            migrationBuilder.DropTable(
                name: "tasks");
        }
    }
}
