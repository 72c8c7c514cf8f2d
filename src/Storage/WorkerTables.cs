using Microsoft.EntityFrameworkCore;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Storage;

/// <summary>Maps the table of workers.</summary>
internal static class WorkerTables
{
    public static void Map(ModelBuilder model) => model.Entity<WorkerRecord>(e =>
    {
        e.ToTable("workers").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id").HasMaxLength(32).ValueGeneratedNever();
        e.Property(x => x.Name).HasColumnName("name").HasMaxLength(WorkerRecord.MaxName);
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
        e.Property(x => x.Credential).HasColumnName("credential").HasMaxLength(256);
        e.Property(x => x.Transport).HasColumnName("transport").HasMaxLength(16);
        e.Property(x => x.Version).HasColumnName("version").HasMaxLength(100);
        e.Property(x => x.Host).HasColumnName("host").HasMaxLength(200);
        e.Property(x => x.Slots).HasColumnName("slots");
        e.Property(x => x.Instance).HasColumnName("instance").HasMaxLength(64);
        e.Property(x => x.Queues).HasColumnName("queues");
        e.Property(x => x.StartedAt).HasColumnName("started_at");
        e.Property(x => x.LastSeenAt).HasColumnName("last_seen_at"); // not indexed: it changes all the time, and the table is small
        e.Property(x => x.State).HasColumnName("state");
        e.Property(x => x.Draining).HasColumnName("draining");
        e.Property(x => x.LostRetried).HasColumnName("lost_retried");
        e.Property(x => x.LostFailed).HasColumnName("lost_failed");
        e.Property(x => x.LostAt).HasColumnName("lost_at");
        e.HasIndex(x => new { x.StartedAt, x.Id }, "ix_workers_started");
        e.HasIndex(x => new { x.Owner, x.StartedAt, x.Id }, "ix_workers_owner");
        e.HasIndex(x => x.Name, "ix_workers_name");
    });
}
