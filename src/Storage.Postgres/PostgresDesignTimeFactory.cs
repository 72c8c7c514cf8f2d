using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace TaskQueue.Storage.Postgres;

/// <summary>Lets <c>dotnet ef migrations add</c> build the PostgreSQL model without a database.</summary>
internal sealed class PostgresDesignTimeFactory : IDesignTimeDbContextFactory<PostgresTaskDbContext>
{
    public PostgresTaskDbContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<PostgresTaskDbContext>().UseNpgsql("Host=localhost").Options);
}
