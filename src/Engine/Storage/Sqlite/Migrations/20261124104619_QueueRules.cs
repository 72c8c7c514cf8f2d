using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace TaskQueue.Engine.Storage.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class QueueRules : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_tasks_claim",
                table: "tasks");

            migrationBuilder.AddColumn<bool>(
                name: "dead",
                table: "tasks",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "dedupe_key",
                table: "tasks",
                type: "TEXT",
                maxLength: 256,
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "default_lease_ms",
                table: "tasks",
                type: "INTEGER",
                nullable: false,
                defaultValue: 15000);

            migrationBuilder.AddColumn<long>(
                name: "delete_at",
                table: "tasks",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "gated",
                table: "tasks",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<bool>(
                name: "held",
                table: "tasks",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "retry",
                table: "tasks",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "thread_id",
                table: "tasks",
                type: "TEXT",
                maxLength: 256,
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "frees",
                table: "task_events",
                type: "INTEGER",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "settings",
                table: "queues",
                type: "TEXT",
                nullable: false,
                defaultValue: "{}");

            migrationBuilder.AddColumn<long>(
                name: "updated_at",
                table: "queues",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<int>(
                name: "version",
                table: "queues",
                type: "INTEGER",
                nullable: false,
                defaultValue: 1);

            migrationBuilder.CreateTable(
                name: "queue_counts",
                columns: table => new
                {
                    queue = table.Column<string>(type: "TEXT", maxLength: 128, nullable: false),
                    stream = table.Column<int>(type: "INTEGER", nullable: false),
                    type = table.Column<int>(type: "INTEGER", nullable: false),
                    count = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queue_counts", x => new { x.queue, x.stream, x.type });
                });

            migrationBuilder.CreateTable(
                name: "queue_gates",
                columns: table => new
                {
                    queue = table.Column<string>(type: "TEXT", maxLength: 128, nullable: false),
                    bucket_base = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_queue_gates", x => x.queue);
                });

            migrationBuilder.CreateTable(
                name: "schedules",
                columns: table => new
                {
                    id = table.Column<int>(type: "INTEGER", nullable: false)
                        .Annotation("Sqlite:Autoincrement", true),
                    queue = table.Column<string>(type: "TEXT", maxLength: 128, nullable: false),
                    name = table.Column<string>(type: "TEXT", maxLength: 128, nullable: false),
                    version = table.Column<int>(type: "INTEGER", nullable: false),
                    settings = table.Column<string>(type: "TEXT", nullable: false),
                    created_at = table.Column<long>(type: "INTEGER", nullable: false),
                    updated_at = table.Column<long>(type: "INTEGER", nullable: false),
                    next_at = table.Column<long>(type: "INTEGER", nullable: true),
                    last_at = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_schedules", x => x.id);
                });

            migrationBuilder.UpdateData(
                table: "queues",
                keyColumn: "id",
                keyValue: 1,
                columns: new[] { "settings", "updated_at", "version" },
                values: new object[] { "{\"Description\":\"\",\"MaxRunning\":0,\"Paused\":false,\"DeadLetters\":{\"Enabled\":true,\"MaxSize\":0},\"Events\":0}", 0L, 1 });

            // What finished before there was a retention gets the default one.
            migrationBuilder.Sql("update tasks set delete_at = finished_at + 604800000000 where finished_at is not null");
            migrationBuilder.Sql("update tasks set dead = 1 where state = 6");
            migrationBuilder.Sql("update queues set updated_at = created_at");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_claim",
                table: "tasks",
                columns: new[] { "queue", "level", "priority", "due_at", "id" },
                filter: "state in (3, 7) and not held");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_dead",
                table: "tasks",
                columns: new[] { "queue", "finished_at", "id" },
                filter: "dead");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_dedupe",
                table: "tasks",
                columns: new[] { "queue", "dedupe_key" },
                unique: true,
                filter: "dedupe_key is not null and state in (3, 4, 7)");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_delete",
                table: "tasks",
                column: "delete_at",
                filter: "delete_at is not null");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_gated",
                table: "tasks",
                column: "queue",
                filter: "state = 4 and gated");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_thread",
                table: "tasks",
                columns: new[] { "queue", "thread_id", "due_at", "id" },
                filter: "thread_id is not null and state in (3, 7)");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_turn",
                table: "tasks",
                columns: new[] { "queue", "thread_id" },
                unique: true,
                filter: "thread_id is not null and not held and state in (3, 4, 7)");

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
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "queue_counts");

            migrationBuilder.DropTable(
                name: "queue_gates");

            migrationBuilder.DropTable(
                name: "schedules");

            migrationBuilder.DropIndex(
                name: "ix_tasks_claim",
                table: "tasks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_dead",
                table: "tasks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_dedupe",
                table: "tasks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_delete",
                table: "tasks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_gated",
                table: "tasks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_thread",
                table: "tasks");

            migrationBuilder.DropIndex(
                name: "ix_tasks_turn",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "dead",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "dedupe_key",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "default_lease_ms",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "delete_at",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "gated",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "held",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "retry",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "thread_id",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "frees",
                table: "task_events");

            migrationBuilder.DropColumn(
                name: "settings",
                table: "queues");

            migrationBuilder.DropColumn(
                name: "updated_at",
                table: "queues");

            migrationBuilder.DropColumn(
                name: "version",
                table: "queues");

            migrationBuilder.CreateIndex(
                name: "ix_tasks_claim",
                table: "tasks",
                columns: new[] { "queue", "level", "priority", "due_at", "id" },
                filter: "state in (3, 7) and not push");
        }
    }
}
