using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using TaskQueue.Engine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.Sqlite;

/// <summary>The database model on SQLite: times are integers of Unix microseconds, which sort correctly.</summary>
public sealed class SqliteTaskDbContext(DbContextOptions<SqliteTaskDbContext> options) : TaskDbContext(options)
{
    /// <inheritdoc />
    protected override void MapEventKey(EntityTypeBuilder<TaskEvent> e) => e.HasKey(x => x.Id);

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        ArgumentNullException.ThrowIfNull(configurationBuilder);
        configurationBuilder.Properties<DateTime>().HaveConversion<MicrosConverter>();
    }

    private sealed class MicrosConverter() : ValueConverter<DateTime, long>(v => Micros.FromTime(v), v => Micros.ToTime(v));
}
