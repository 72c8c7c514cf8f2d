using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.ChangeTracking;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TaskQueue.Engine.Audit;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Bulk;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Failures;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Logs;
using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Schedules;
using TaskQueue.Engine.Statistics;
using TaskQueue.Engine.Tasks;
using TaskQueue.Engine.Workers;

namespace TaskQueue.Storage;

/// <summary>The database model. Each provider has a subclass, because it has migrations of its own.</summary>
public abstract class TaskDbContext(DbContextOptions options) : DbContext(options)
{
    /// <summary>View <c>all_tasks</c>: every task, wherever it is now.</summary>
    public DbSet<TaskState> Tasks => Set<TaskState>(TaskViews.All);

    /// <summary>View <c>waiting_tasks</c>.</summary>
    public DbSet<TaskState> WaitingTasks => Set<TaskState>(TaskViews.Waiting);

    /// <summary>View <c>running_tasks</c>.</summary>
    public DbSet<TaskState> RunningTasks => Set<TaskState>(TaskViews.Running);

    /// <summary>View <c>ended_tasks</c>.</summary>
    public DbSet<TaskState> EndedTasks => Set<TaskState>(TaskViews.Ended);

    /// <summary>Table <c>tasks</c>: what was asked.</summary>
    public DbSet<TaskState> Submitted => Set<TaskState>(TaskTables.Cold);

    /// <summary>Table <c>ready</c>.</summary>
    public DbSet<TaskState> Ready => Set<TaskState>(TaskTables.Ready);

    /// <summary>Table <c>running</c>.</summary>
    public DbSet<TaskState> Running => Set<TaskState>(TaskTables.Running);

    /// <summary>Table <c>outcomes</c>.</summary>
    public DbSet<TaskState> Outcomes => Set<TaskState>(TaskTables.Outcomes);

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

    /// <summary>Table <c>outbox</c>.</summary>
    public DbSet<OutboxRow> Outbox => Set<OutboxRow>();

    /// <summary>Table <c>attempts</c>.</summary>
    public DbSet<AttemptRow> Attempts => Set<AttemptRow>();

    /// <summary>Table <c>task_logs</c>.</summary>
    public DbSet<TaskLogRow> TaskLogs => Set<TaskLogRow>();

    /// <summary>Table <c>failure_groups</c>.</summary>
    public DbSet<FailureGroup> FailureGroups => Set<FailureGroup>();

    /// <summary>Table <c>failure_samples</c>.</summary>
    public DbSet<FailureSample> FailureSamples => Set<FailureSample>();

    /// <summary>Table <c>task_tags</c>.</summary>
    public DbSet<TaskTag> TaskTags => Set<TaskTag>();

    /// <summary>Table <c>api_keys</c>.</summary>
    public DbSet<ApiKeyRecord> ApiKeys => Set<ApiKeyRecord>();

    /// <summary>Table <c>session_keys</c>.</summary>
    public DbSet<SessionKey> SessionKeys => Set<SessionKey>();

    /// <summary>Table <c>audit</c>.</summary>
    public DbSet<AuditRecord> Audit => Set<AuditRecord>();

    /// <summary>Table <c>quarantine</c>.</summary>
    public DbSet<QuarantinedItem> Quarantine => Set<QuarantinedItem>();

    /// <summary>Table <c>tenant_usage</c>.</summary>
    public DbSet<TenantUsage> TenantUsage => Set<TenantUsage>();

    /// <summary>Table <c>webhook_receivers</c>.</summary>
    public DbSet<WebhookReceiver> WebhookReceivers => Set<WebhookReceiver>();

    /// <summary>Table <c>queue_statistics</c>.</summary>
    public DbSet<StatisticsRow> Statistics => Set<StatisticsRow>();

    /// <summary>Table <c>workers</c>.</summary>
    public DbSet<WorkerRecord> Workers => Set<WorkerRecord>();

    /// <summary>Table <c>operations</c>.</summary>
    public DbSet<BulkOperation> Operations => Set<BulkOperation>();

    /// <summary>Table <c>operation_tasks</c>.</summary>
    public DbSet<BulkOperationTask> OperationTasks => Set<BulkOperationTask>();

    /// <inheritdoc />
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        ArgumentNullException.ThrowIfNull(modelBuilder);
        TaskTables.Map(modelBuilder);
        modelBuilder.Entity<QueueRecord>(MapQueues);
        modelBuilder.Entity<ScheduleRecord>(MapSchedules);
        modelBuilder.Entity<OutboxRow>(MapOutbox);
        modelBuilder.Entity<QueueLimitRow>(e =>
        {
            e.ToTable("queue_limits").HasKey(x => x.Queue);
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.BucketBase).HasColumnName("bucket_base");
        });
        CommonTables.Map(modelBuilder);
        AccessTables.Map(modelBuilder);
        LogTables.Map(modelBuilder);
        WorkerTables.Map(modelBuilder);
        BulkTables.Map(modelBuilder);
        StatisticsTables.Map(modelBuilder);
        TextSize.Map(modelBuilder, Database.ProviderName);
        modelBuilder.Entity<QueueCount>(e =>
        {
            e.ToTable("queue_counts").HasKey(x => new { x.Queue, x.Tier, x.Partition, x.Type, x.Owner });
            // What a tenant's tasks have come to, whatever others have.
            e.HasIndex(x => new { x.Owner, x.Queue }, "ix_queue_counts_owner");
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128).IsRequired();
            e.Property(x => x.Tier).HasColumnName("tier");
            e.Property(x => x.Partition).HasColumnName("partition_id");
            e.Property(x => x.Type).HasColumnName("type");
            e.Property(x => x.Count).HasColumnName("count");
        });
        modelBuilder.Entity<OutboxPartition>(e =>
        {
            e.ToTable("outbox_partitions").HasKey(x => x.Id);
            e.Property(x => x.Id).HasColumnName("id").ValueGeneratedNever();
            e.Property(x => x.Offset).HasColumnName("published_to");
            e.HasData(Enumerable.Range(0, TaskEvent.Partitions).Select(id => new OutboxPartition { Id = id }));
        });
    }

    /// <summary>Maps the key and identity of outbox rows, which differ: SQLite generates single-column integer keys only.</summary>
    protected abstract void MapOutboxKey(EntityTypeBuilder<OutboxRow> e);

    private void MapOutbox(EntityTypeBuilder<OutboxRow> e)
    {
        e.ToTable("outbox");
        MapOutboxKey(e);
        e.Property(x => x.Partition).HasColumnName("partition_id");
        e.Property(x => x.Id).HasColumnName("id");
        e.Property(x => x.At).HasColumnName("at");
        e.Property(x => x.Type).HasColumnName("type");
        e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
        e.Property(x => x.Tier).HasColumnName("tier");
        e.Property(x => x.Worker).HasColumnName("worker");
        e.Property(x => x.Dispatch).HasColumnName("dispatch");
        e.Property(x => x.ReleasesCapacity).HasColumnName("frees");
        e.Property(x => x.Ids).HasColumnName("ids");
        e.Property(x => x.Attempts).HasColumnName("attempts");
        e.Property(x => x.Earlier).HasColumnName("earlier");
        e.Property(x => x.DueTimes).HasColumnName("due_times");
        e.Property(x => x.Errors).HasColumnName("errors");
        if (Database.ProviderName?.EndsWith("PostgreSQL", StringComparison.Ordinal) == true)
            return; // it has arrays
        AsJson(e.Property<Guid[]?>(nameof(OutboxRow.Ids)));
        AsJson(e.Property<int[]?>(nameof(OutboxRow.Attempts)));
        AsJson(e.Property(x => x.Earlier));
        AsJson(e.Property(x => x.DueTimes));
        AsJson(e.Property(x => x.Errors));

        static void AsJson<T>(PropertyBuilder<T[]?> list) => list.HasConversion(
            v => OutboxJson.Write(v!), v => OutboxJson.Read<T>(v), new ValueComparer<T[]?>(favorStructuralComparisons: true));
    }

    /// <summary>Names of the constraints that tell which conflict a write met.</summary>
    internal const string DedupeIndex = "PK_dedupe_keys", HeadIndex = "ix_ready_head";

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
}
