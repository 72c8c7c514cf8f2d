using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Storage.Postgres;

/// <summary>The database model on PostgreSQL.</summary>
public sealed class PostgresTaskDbContext(DbContextOptions<PostgresTaskDbContext> options) : TaskDbContext(options)
{
    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        base.OnModelCreating(modelBuilder);
        modelBuilder.Entity<QueueRecord>().Property(q => q.Id).HasIdentityOptions(startValue: 2); // 1 is seeded
        modelBuilder.Entity<OrderingKeyRow>(e =>
        {
            e.ToTable("ordering_keys").HasKey(x => new { x.Queue, x.OrderingKey });
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.OrderingKey).HasColumnName("ordering_key").HasMaxLength(256);
        });
        modelBuilder.Entity<OutboxLeaseRow>(e =>
        {
            e.ToTable("outbox_lease").HasKey(x => x.Id);
            e.Property(x => x.Id).HasColumnName("id").ValueGeneratedNever();
            e.Property(x => x.Holder).HasColumnName("holder");
            e.Property(x => x.Address).HasColumnName("address").HasMaxLength(256);
            e.Property(x => x.Epoch).HasColumnName("lease_epoch");
            e.Property(x => x.HeldUntil).HasColumnName("held_until");
            e.Property(x => x.Timeline).HasColumnName("timeline").HasMaxLength(8);
            e.Property(x => x.BegunAt).HasColumnName("begun_at");
            e.HasData(new OutboxLeaseRow { Id = 1, HeldUntil = DateTime.UnixEpoch });
        });
    }

    /// <inheritdoc />
    protected override void MapOutboxKey(EntityTypeBuilder<OutboxRow> e)
    {
        e.HasKey(x => new { x.Partition, x.Id });
        e.Property(x => x.Id).ValueGeneratedOnAdd();
    }
}

/// <summary>A row of table <c>ordering_keys</c>, for each ordering key of a waiting or running task: the lock of the key.</summary>
public sealed class OrderingKeyRow
{
    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>The key, prefixed with its tenant.</summary>
    public string OrderingKey { get; set; } = "";
}

/// <summary>The one row of table <c>outbox_lease</c>: which process dispatches the outbox.</summary>
public sealed class OutboxLeaseRow
{
    /// <summary>1.</summary>
    public int Id { get; set; }

    /// <summary>Random for each tenure; null before the first.</summary>
    public Guid? Holder { get; set; }

    /// <summary>Routing key of the messages that wake the holder.</summary>
    public string? Address { get; set; }

    /// <summary>Number of the tenure, ascending.</summary>
    public long Epoch { get; set; }

    /// <summary>When others may take the lease, by the clock of the database.</summary>
    public DateTime HeldUntil { get; set; }

    /// <summary>The timeline on which it was last acquired; null before the first, and where the server does not tell.</summary>
    public string? Timeline { get; set; }

    /// <summary>Offset of each partition before the first tenure on that timeline: events behind it may be others than before.</summary>
    public long[]? BegunAt { get; set; }
}
