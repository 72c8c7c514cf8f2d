using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.SqlServer;

/// <summary>
/// The model on SQL Server. Ids are their sixteen bytes, the first one first: uniqueidentifier orders by the last six, which would
/// put new rows anywhere in the clustered index, and lists in another order than anywhere else. Text is compared by code points.
/// </summary>
public sealed class SqlServerTaskDbContext(DbContextOptions<SqlServerTaskDbContext> options) : TaskDbContext(options)
{
    /// <summary>Of every text: case and accents count, and the order is that of UTF-16 code units.</summary>
    internal const string Collation = "Latin1_General_100_BIN2";

    /// <summary>
    /// Texts of callers in table tasks, and owners everywhere, in which a space at the end counts: SQL Server would take it for equal to
    /// none, so they are bytes of UTF-16.
    /// </summary>
    internal static readonly string[] Exact = ["dedupe_key", "ordering_key", "owner", "name"];

    /// <summary>The type of such a column.</summary>
    internal const string ExactType = "varbinary(800)";

    /// <summary>
    /// What whole queues are read by, so that a reader need not go from the key of an index to its row: who writes goes the other way.
    /// </summary>
    private static readonly Dictionary<string, string[]> Included = new()
    {
        ["ix_tasks_lease"] = [nameof(TaskState.Queue), nameof(TaskState.Tier), nameof(TaskState.Limited)],
        ["ix_tasks_dead"] = [nameof(TaskState.DeleteAt)],
    };

    /// <inheritdoc />
    protected override void MapEventKey(EntityTypeBuilder<TaskEvent> e)
    {
        ArgumentNullException.ThrowIfNull(e);
        e.HasKey(x => new { x.Stream, x.Id });
        e.Property(x => x.Id).ValueGeneratedOnAdd().UseIdentityColumn();
    }

    /// <inheritdoc />
    protected override void ConfigureConventions(ModelConfigurationBuilder configurationBuilder)
    {
        ArgumentNullException.ThrowIfNull(configurationBuilder);
        configurationBuilder.Properties<Guid>().HaveConversion<IdConverter>().HaveColumnType("binary(16)");
        configurationBuilder.Properties<DateTime>().HaveConversion<UtcConverter>().HaveColumnType("datetime2(6)");
    }

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            foreach (var text in entity.GetProperties().Where(p => p.ClrType == typeof(string)))
                MapText(text);
            foreach (var index in entity.GetIndexes().Where(i => Included.ContainsKey(i.Name ?? "")))
                SqlServerIndexExtensions.SetIncludeProperties(index, Included[index.Name!]);
            foreach (var index in entity.GetIndexes().Where(i => i.GetFilter() is not null))
                index.SetFilter(Filter(index.GetFilter()!));
        }
    }

    private static void MapText(IMutableProperty text)
    {
        if (Exact.Contains(text.GetColumnName())
            && (text.Name != nameof(TaskState.Name) || text.DeclaringType.ClrType == typeof(TaskState)))
        {
            text.SetMaxLength(null);
            text.SetValueConverter(new ExactConverter());
            text.SetColumnType(ExactType);
        }
        else
        {
            text.SetCollation(Collation);
        }
    }

    /// <summary>A filter in the words of SQL Server, which has bits where others have truths.</summary>
    internal static string Filter(string filter)
    {
        var terms = filter.Split(" and ").Select(t => t switch
        {
            "blocked" or "dead" or "limited" => $"{t} = 1",
            "not blocked" => "blocked = 0",
            _ => t,
        });
        return string.Join(" and ", terms);
    }

    private sealed class IdConverter() : ValueConverter<Guid, byte[]>(v => v.ToByteArray(true), v => new Guid(v, true));

    private sealed class UtcConverter() : ValueConverter<DateTime, DateTime>(v => v, v => DateTime.SpecifyKind(v, DateTimeKind.Utc));

    private sealed class ExactConverter()
        : ValueConverter<string, byte[]>(v => Encoding.Unicode.GetBytes(v), v => Encoding.Unicode.GetString(v));
}
