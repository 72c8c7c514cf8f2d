using System.Text;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage.SqlServer;

/// <summary>
/// The database model on SQL Server. Ids are stored as sixteen bytes in big-endian order: uniqueidentifier sorts by the last six bytes,
/// which would scatter new rows over the clustered index, and sort lists differently from the other databases. Text is compared by code
/// points.
/// </summary>
public sealed class SqlServerTaskDbContext(DbContextOptions<SqlServerTaskDbContext> options) : TaskDbContext(options)
{
    /// <summary>Collation of all texts: sensitive to case and accents, sorted by UTF-16 code units.</summary>
    internal const string Collation = "Latin1_General_100_BIN2";

    /// <summary>
    /// Caller-supplied texts of tasks, and owners everywhere, in which a trailing space is significant: SQL Server ignores it in
    /// comparisons, so they are stored as UTF-16 bytes.
    /// </summary>
    internal static readonly string[] Exact = ["dedupe_key", "ordering_key", "owner", "name"];

    /// <summary>The type of such columns.</summary>
    internal const string ExactType = "varbinary(800)";

    /// <summary>
    /// Included columns of the indexes that whole-queue reads use, so that a reader need not go from the index to the row: writers lock in
    /// the opposite direction.
    /// </summary>
    private static readonly Dictionary<string, string[]> Included = new()
    {
        ["ix_outcomes_dead"] = [nameof(TaskState.DeleteAt)],
    };

    /// <inheritdoc />
    protected override void MapOutboxKey(EntityTypeBuilder<OutboxRow> e)
    {
        ArgumentNullException.ThrowIfNull(e);
        e.HasKey(x => new { x.Partition, x.Id });
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
        // A clustered key has at most 900 bytes, and a queue with a long key has more.
        modelBuilder.Entity<DedupeKeyRow>().HasKey(x => new { x.Queue, x.DedupeKey }).IsClustered(false);
        modelBuilder.Entity<StatisticsRow>().HasKey(x => new { x.Step, x.At, x.Queue, x.Owner }).IsClustered(false);
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

    /// <summary>Translates a filter to SQL Server, which has bits instead of booleans.</summary>
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
