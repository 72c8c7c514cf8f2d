using Shouldly;
using TaskQueue.Storage;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class DatabaseAddressTests
{
    [Theory]
    [InlineData("Data Source=tasks.db", DatabaseProvider.Sqlite)]
    [InlineData("DataSource=tasks.db;Pooling=false", DatabaseProvider.Sqlite)]
    [InlineData("filename=tasks.db", DatabaseProvider.Sqlite)]
    [InlineData("Host=db;Database=tasks", DatabaseProvider.Postgres)]
    [InlineData("database=tasks;host=db", DatabaseProvider.Postgres)]
    [InlineData("Server=db;Database=tasks", DatabaseProvider.SqlServer)]
    [InlineData("Server=tcp:tasks.database.windows.net,1433;Initial Catalog=tasks;Authentication=Active Directory Default",
        DatabaseProvider.SqlServer)]
    [InlineData("Data Source=db;Initial Catalog=tasks", DatabaseProvider.SqlServer)]
    public void The_provider_is_derived_from_the_connection_strings_keys(string connectionString, DatabaseProvider provider) =>
        DatabaseAddress.Parse(connectionString, provider: null).ShouldBe(new DatabaseAddress(provider, connectionString));

    [Fact]
    public void A_configured_provider_takes_precedence_over_the_derived_one()
    {
        DatabaseAddress.Parse("Server=db;Database=tasks", "Postgres").Provider.ShouldBe(DatabaseProvider.Postgres);
        DatabaseAddress.Parse("Data Source=db", "SqlServer").Provider.ShouldBe(DatabaseProvider.SqlServer);
        DatabaseAddress.Parse("Data Source=tasks.db", "sqlite").Provider.ShouldBe(DatabaseProvider.Sqlite);
        DatabaseAddress.Parse("Data Source=tasks.db", "").Provider.ShouldBe(DatabaseProvider.Sqlite);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("nonsense", null)]
    [InlineData("Server=db;Host2=x", null)]
    [InlineData("Server=db;Connect Timeout=soon", null)]
    [InlineData("Host=db;Port=many", null)]
    [InlineData("Host=db;Colour=blue", null)]
    [InlineData("Data Source=tasks.db;Host2=x", null)]
    [InlineData("Host=db", "sqlite")]
    public void An_error_names_the_key_of_the_connection_string(string connectionString, string? provider) =>
        Should.Throw<FormatException>(() => DatabaseAddress.Parse(connectionString, provider))
            .Message.ShouldContain("ConnectionStrings:TaskQueue");

    [Fact]
    public void An_error_names_the_key_of_the_provider() =>
        Should.Throw<FormatException>(() => DatabaseAddress.Parse("Host=db", "oracle"))
            .Message.ShouldBe("TaskQueue:Provider is 'oracle'; it must be sqlite, postgres or sqlserver.");

    [Fact]
    public void User_and_password_are_never_shown()
    {
        DatabaseAddress.Parse("Host=db;Port=5433;Database=tasks;Username=me;Password=secret", null).ToString()
            .ShouldBe("PostgreSQL db:5433/tasks");
        DatabaseAddress.Parse("Data Source=/data/tasks.db;Password=secret", null).ToString().ShouldBe("SQLite file /data/tasks.db");
        DatabaseAddress.Parse("Server=db,1433;Database=tasks;User ID=me;Password=secret", null).ToString()
            .ShouldBe("SQL Server db,1433/tasks");
    }
}
