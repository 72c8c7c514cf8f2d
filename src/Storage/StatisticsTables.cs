using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Statistics;

namespace TaskQueue.Storage;

/// <summary>Maps the table of statistics.</summary>
internal static class StatisticsTables
{
    public static void Map(ModelBuilder model) => model.Entity<StatisticsRow>(e =>
    {
        e.ToTable("queue_statistics").HasKey(x => new { x.Step, x.At, x.Queue, x.Owner });
        e.Property(x => x.Step).HasColumnName("step");
        e.Property(x => x.At).HasColumnName("at");
        e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
        e.Property(x => x.Waiting).HasColumnName("waiting");
        e.Property(x => x.OldestMs).HasColumnName("oldest_ms");
        foreach (var (member, column) in StatisticsCounts.Members.Zip(StatisticsCounts.Columns))
            e.Property<long>(member).HasColumnName(column);
    });
}
