using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace TaskQueue.Engine.Storage;

/// <summary>Lets <c>dotnet ef migrations add</c> build the PostgreSQL model without a database.</summary>
internal sealed class PostgresDesignTimeFactory : IDesignTimeDbContextFactory<PostgresTaskDbContext>
{
    public PostgresTaskDbContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql("Host=localhost").Options);
}

/// <summary>Lets <c>dotnet ef migrations add</c> build the SQLite model without a database.</summary>
internal sealed class SqliteDesignTimeFactory : IDesignTimeDbContextFactory<SqliteTaskDbContext>
{
    public SqliteTaskDbContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<SqliteTaskDbContext>().UseSqlite("Data Source=:memory:").Options);
}
