using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace TaskQueue.Storage.Sqlite;

/// <summary>Lets <c>dotnet ef migrations add</c> build the SQLite model without a database.</summary>
internal sealed class SqliteDesignTimeFactory : IDesignTimeDbContextFactory<SqliteTaskDbContext>
{
    public SqliteTaskDbContext CreateDbContext(string[] args) =>
        new(new DbContextOptionsBuilder<SqliteTaskDbContext>().UseSqlite("Data Source=:memory:").Options);
}
