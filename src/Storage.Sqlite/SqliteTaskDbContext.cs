using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using TaskQueue.Engine;

namespace TaskQueue.Storage.Sqlite;

/// <summary>The database model on SQLite: times are integers of Unix microseconds, which sort correctly.</summary>
public sealed class SqliteTaskDbContext(DbContextOptions<SqliteTaskDbContext> options) : TaskDbContext(options)
{
    /// <inheritdoc />
    protected override void MapOutboxKey(EntityTypeBuilder<OutboxRow> e)
    {
        e.HasKey(x => x.Id);
        e.Property(x => x.Id).ValueGeneratedOnAdd(); // "autoincrement": the id of a removed row is never used again
    }

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        ArgumentNullException.ThrowIfNull(configurationBuilder);
        configurationBuilder.Properties<DateTime>().HaveConversion<MicrosConverter>();
    }

    private sealed class MicrosConverter() : ValueConverter<DateTime, long>(v => Micros.FromTime(v), v => Micros.ToTime(v));
}
