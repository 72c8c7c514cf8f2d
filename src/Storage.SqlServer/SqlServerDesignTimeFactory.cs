using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Lets <c>dotnet ef migrations add</c> build the SQL Server model without a database.</summary>
internal sealed class SqlServerDesignTimeFactory : IDesignTimeDbContextFactory<SqlServerTaskDbContext>
{
    public SqlServerTaskDbContext CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<SqlServerTaskDbContext>();
        SqlServerProvider.Use(options, "Server=localhost");
        return new SqlServerTaskDbContext(options.Options);
    }
}
