using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace TaskQueue.Engine.Storage.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class Owners : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "owner",
                table: "tasks",
                type: "character varying(128)",
                maxLength: 128,
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "progress",
                table: "tasks",
                type: "text",
                nullable: true);

            migrationBuilder.CreateIndex(
                name: "ix_tasks_owner",
                table: "tasks",
                columns: new[] { "owner", "id" },
                filter: "owner is not null");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "ix_tasks_owner",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "owner",
                table: "tasks");

            migrationBuilder.DropColumn(
                name: "progress",
                table: "tasks");
        }
    }
}
