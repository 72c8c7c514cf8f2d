using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>The database model. Each provider has a subclass, because it has migrations of its own.</summary>
public abstract class TaskDbContext(DbContextOptions options) : DbContext(options)
{
    /// <summary>Table <c>tasks</c>.</summary>
    public DbSet<TaskState> Tasks => Set<TaskState>();

    /// <summary>Table <c>queues</c>.</summary>
    public DbSet<QueueRecord> Queues => Set<QueueRecord>();

    /// <summary>Table <c>schedules</c>.</summary>
    public DbSet<ScheduleRecord> Schedules => Set<ScheduleRecord>();

    /// <summary>Table <c>files</c>.</summary>
    public DbSet<FileRecord> Files => Set<FileRecord>();

    /// <summary>Table <c>batches</c>.</summary>
    public DbSet<BatchState> Batches => Set<BatchState>();

    /// <summary>Table <c>batch_counts</c>.</summary>
    public DbSet<BatchCount> BatchCounts => Set<BatchCount>();

    /// <summary>Table <c>batch_bad_lines</c>.</summary>
    public DbSet<InvalidBatchItem> BatchBadLines => Set<InvalidBatchItem>();

    /// <summary>Table <c>callbacks</c>.</summary>
    public DbSet<Callback> Callbacks => Set<Callback>();

    /// <summary>Table <c>task_events</c>.</summary>
    public DbSet<TaskEvent> TaskEvents => Set<TaskEvent>();

    /// <summary>Table <c>api_keys</c>.</summary>
    public DbSet<ApiKeyRecord> ApiKeys => Set<ApiKeyRecord>();

    /// <summary>Table <c>audit</c>.</summary>
    public DbSet<AuditRecord> Audit => Set<AuditRecord>();

    /// <summary>Table <c>quarantine</c>.</summary>
    public DbSet<QuarantinedItem> Quarantine => Set<QuarantinedItem>();

    /// <summary>Table <c>tenant_usage</c>.</summary>
    public DbSet<TenantUsage> TenantUsage => Set<TenantUsage>();

    /// <summary>Table <c>webhook_receivers</c>.</summary>
    public DbSet<WebhookReceiver> WebhookReceivers => Set<WebhookReceiver>();

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        modelBuilder.Entity<TaskState>(MapTasks);
        modelBuilder.Entity<QueueRecord>(MapQueues);
        modelBuilder.Entity<ScheduleRecord>(MapSchedules);
        modelBuilder.Entity<TaskEvent>(MapEvents);
        modelBuilder.Entity<QueueLimitRow>(e =>
        {
            e.ToTable("queue_limits").HasKey(x => x.Queue);
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.BucketBase).HasColumnName("bucket_base");
        });
        CommonTables.Map(modelBuilder);
        AccessTables.Map(modelBuilder);
        TextSize.Map(modelBuilder, Database.ProviderName);
        modelBuilder.Entity<QueueCount>(e =>
        {
            e.ToTable("queue_counts").HasKey(x => new { x.Queue, x.Tier, x.Stream, x.Type });
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.Tier).HasColumnName("tier");
            e.Property(x => x.Stream).HasColumnName("stream");
            e.Property(x => x.Type).HasColumnName("type");
            e.Property(x => x.Count).HasColumnName("count");
        });
        modelBuilder.Entity<OutboxPartition>(e =>
        {
            e.ToTable("event_streams").HasKey(x => x.Id);
            e.Property(x => x.Id).HasColumnName("id").ValueGeneratedNever();
            e.Property(x => x.Cursor).HasColumnName("cursor");
            e.HasData(Enumerable.Range(0, TaskEvent.Streams).Select(id => new OutboxPartition { Id = id }));
        });
    }

    /// <summary>Maps the key and identity of events, which differ: SQLite generates single-column integer keys only.</summary>
    protected abstract void MapEventKey(EntityTypeBuilder<TaskEvent> e);

    private static void MapTasks(EntityTypeBuilder<TaskState> e)
    {
        e.ToTable("tasks").HasKey(x => x.CorrelationId);
        e.Property(x => x.CorrelationId).HasColumnName("id").ValueGeneratedNever();
        e.Property(x => x.State).HasColumnName("state");
        e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
        e.Property(x => x.Tier).HasColumnName("tier");
        e.Property(x => x.Priority).HasColumnName("priority");
        e.Property(x => x.Push).HasColumnName("push");
        e.Property(x => x.Name).HasColumnName("name").HasMaxLength(256);
        e.Property(x => x.DedupeKey).HasColumnName("dedupe_key").HasMaxLength(StoredKeyLength);
        e.Property(x => x.OrderingKey).HasColumnName("ordering_key").HasMaxLength(StoredKeyLength);
        e.Property(x => x.Blocked).HasColumnName("blocked");
        e.Property(x => x.Payload).HasColumnName("payload");
        e.Property(x => x.Headers).HasColumnName("headers");
        e.Property(x => x.Result).HasColumnName("result");
        e.Property(x => x.Error).HasColumnName("error");
        e.Property(x => x.Attempt).HasColumnName("attempt");
        e.Property(x => x.AttemptsLeft).HasColumnName("attempts_left");
        e.Property(x => x.MaxAttempts).HasColumnName("max_attempts");
        e.Property(x => x.Retry).HasColumnName("retry");
        e.Property(x => x.DefaultLeaseMs).HasColumnName("default_lease_ms");
        e.Property(x => x.LeaseMs).HasColumnName("lease_ms");
        e.Property(x => x.LeaseUntil).HasColumnName("lease_until");
        e.Property(x => x.Worker).HasColumnName("worker");
        e.Property(x => x.ClaimedBy).HasColumnName("claimed_by").HasMaxLength(128);
        e.Property(x => x.CreatedAt).HasColumnName("created_at");
        e.Property(x => x.DueAt).HasColumnName("due_at");
        e.Property(x => x.ExpiresAt).HasColumnName("expires_at");
        e.Property(x => x.StartedAt).HasColumnName("started_at");
        e.Property(x => x.FinishedAt).HasColumnName("finished_at");
        e.Property(x => x.DispatchAt).HasColumnName("dispatch_at");
        e.Property(x => x.CompletionActions).HasColumnName("ending");
        e.Property(x => x.BatchId).HasColumnName("batch_id");
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
        e.Property(x => x.Progress).HasColumnName("progress");
        e.Property(x => x.Limited).HasColumnName("limited");
        e.Property(x => x.Dead).HasColumnName("dead");
        e.Property(x => x.DeleteAt).HasColumnName("delete_at");
        e.Ignore(x => x.Events).Ignore(x => x.Settings).Ignore(x => x.RunAttempt).Ignore(x => x.ReplyTo);

        // Claims use only this index, so their cost does not grow with finished tasks. Filters use the numbers of TaskStates.
        e.HasIndex(x => new { x.Queue, x.Tier, x.Priority, x.DueAt, x.CorrelationId }, "ix_tasks_claim")
            .HasFilter($"state in {SqlStates.Waiting} and not blocked");
        e.HasIndex(x => x.DispatchAt, "ix_tasks_dispatch").HasFilter("dispatch_at is not null");
        e.HasIndex(x => x.LeaseUntil, "ix_tasks_lease").HasFilter($"state = {SqlStates.Running}");
        e.HasIndex(x => x.ExpiresAt, "ix_tasks_expiry").HasFilter($"state in {SqlStates.Waiting} and expires_at is not null");
        // For lists of failures: rare states among many completed rows.
        e.HasIndex(x => new { x.State, x.CorrelationId }, "ix_tasks_ended").HasFilter($"state in {SqlStates.Unsuccessful}");
        e.HasIndex(x => x.DeleteAt, "ix_tasks_delete").HasFilter("delete_at is not null");
        e.HasIndex(x => new { x.Queue, x.FinishedAt, x.CorrelationId }, "ix_tasks_dead").HasFilter("dead");
        // For lists of a single owner.
        e.HasIndex(x => new { x.Owner, x.CorrelationId }, "ix_tasks_owner").HasFilter("owner is not null");
        e.HasIndex(x => x.Queue, "ix_tasks_limited").HasFilter($"state = {SqlStates.Running} and limited");

        // The tasks of a batch in item order, and those it waits for.
        e.HasIndex(x => new { x.BatchId, x.CorrelationId }, "ix_tasks_batch").HasFilter("batch_id is not null");
        e.HasIndex(x => x.BatchId, "ix_tasks_batch_live").HasFilter($"batch_id is not null and state in {SqlStates.Unfinished}");

        // At most one holder of a dedupe key and one head of an ordering key, also under concurrent writers.
        e.HasIndex(x => new { x.Queue, x.DedupeKey }, DedupeIndex).IsUnique().HasFilter($"dedupe_key is not null and state in "
            + $"{SqlStates.Unfinished}");
        e.HasIndex(x => new { x.Queue, x.OrderingKey }, HeadIndex).IsUnique()
            .HasFilter($"ordering_key is not null and not blocked and state in {SqlStates.Unfinished}");
        e.HasIndex(x => new { x.Queue, x.OrderingKey, x.DueAt, x.CorrelationId }, "ix_tasks_ordering_key")
            .HasFilter($"ordering_key is not null and state in {SqlStates.Waiting}");
    }

    /// <summary>A key prefixed with its tenant: see <see cref="TenantKey"/>.</summary>
    private const int StoredKeyLength = 256;

    internal const string DedupeIndex = "ix_tasks_dedupe";
    internal const string HeadIndex = "ix_tasks_head";

    private static void MapQueues(EntityTypeBuilder<QueueRecord> e)
    {
        e.ToTable("queues").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id");
        e.Property(x => x.Name).HasColumnName("name").HasMaxLength(128);
        e.Property(x => x.Delivery).HasColumnName("delivery");
        e.Property(x => x.Endpoint).HasColumnName("endpoint").HasMaxLength(256);
        e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
        e.Property(x => x.Version).HasColumnName("version").IsConcurrencyToken();
        e.Property(x => x.Settings).HasColumnName("settings").HasConversion(v => v.ToText(), v => QueueSettings.FromText(v));
        e.Property(x => x.CreatedAt).HasColumnName("created_at");
        e.Property(x => x.UpdatedAt).HasColumnName("updated_at");
        e.HasIndex(x => x.Name, "ix_queues_name").IsUnique();
        e.HasData(new QueueRecord { Id = 1, Name = BuiltInQueues.Tasks, Delivery = Delivery.Push, CreatedAt = DateTime.UnixEpoch,
            UpdatedAt = DateTime.UnixEpoch });
    }

    private static void MapSchedules(EntityTypeBuilder<ScheduleRecord> e)
    {
        e.ToTable("schedules").HasKey(x => x.Id);
        e.Property(x => x.Id).HasColumnName("id");
        e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
        e.Property(x => x.Name).HasColumnName("name").HasMaxLength(128);
        e.Property(x => x.Version).HasColumnName("version").IsConcurrencyToken();
        e.Property(x => x.Settings).HasColumnName("settings").HasConversion(v => v.ToText(), v => ScheduleSettings.FromText(v));
        e.Property(x => x.CreatedAt).HasColumnName("created_at");
        e.Property(x => x.UpdatedAt).HasColumnName("updated_at");
        e.Property(x => x.NextAt).HasColumnName("next_at");
        e.Property(x => x.LastAt).HasColumnName("last_at");
        e.HasIndex(x => new { x.Queue, x.Name }, "ix_schedules_name").IsUnique();
        e.HasIndex(x => x.NextAt, "ix_schedules_next").HasFilter("next_at is not null");
    }

    private void MapEvents(EntityTypeBuilder<TaskEvent> e)
    {
        e.ToTable("task_events");
        MapEventKey(e);
        e.Property(x => x.Stream).HasColumnName("stream");
        e.Property(x => x.Id).HasColumnName("id");
        e.Property(x => x.TaskId).HasColumnName("task_id");
        e.Property(x => x.Type).HasColumnName("type");
        e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
        e.Property(x => x.Tier).HasColumnName("tier");
        e.Property(x => x.Attempt).HasColumnName("attempt");
        e.Property(x => x.Worker).HasColumnName("worker");
        e.Property(x => x.Error).HasColumnName("error");
        e.Property(x => x.At).HasColumnName("at");
        e.Property(x => x.DueAt).HasColumnName("due_at");
        e.Property(x => x.Dispatch).HasColumnName("dispatch");
        e.Property(x => x.ReleasesCapacity).HasColumnName("frees");
        e.Ignore(x => x.IsWritten);
        e.HasIndex(x => x.TaskId, "ix_task_events_task");
    }
}
