using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// Maps the tables of <see cref="TaskTable"/> and the views that join them. A task has one row in <c>tasks</c> and one in <c>ready</c>,
/// <c>running</c> or <c>outcomes</c>.
/// </summary>
internal static class TaskTables
{
    internal const string Cold = "tasks", Ready = "ready", Running = "running", Outcomes = "outcomes";

    /// <summary>A key prefixed with its tenant: see <see cref="Engine.Auth.TenantKey"/>.</summary>
    private const int StoredKeyLength = 256;

    public static void Map(ModelBuilder model)
    {
        model.SharedTypeEntity<TaskState>(Cold, MapTasks);
        model.SharedTypeEntity<TaskState>(Ready, MapReady);
        model.SharedTypeEntity<TaskState>(Running, MapRunning);
        model.SharedTypeEntity<TaskState>(Outcomes, MapOutcomes);
        foreach (var view in TaskViews.Names)
            model.SharedTypeEntity<TaskState>(view, e => MapColumns(e, TaskColumn.Visible).ToView(view));
        model.Entity<DedupeKeyRow>(e =>
        {
            e.ToTable("dedupe_keys").HasKey(x => new { x.Queue, x.DedupeKey });
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.Property(x => x.DedupeKey).HasColumnName("dedupe_key").HasMaxLength(StoredKeyLength);
            e.Property(x => x.TaskId).HasColumnName("task_id");
        });
        model.Entity<TaskTag>(e =>
        {
            e.ToTable("task_tags").HasKey(x => new { x.Tag, x.TaskId });
            e.Property(x => x.Tag).HasColumnName("tag").HasMaxLength(TaskTags.MaxLength);
            e.Property(x => x.TaskId).HasColumnName("task_id");
            e.Property(x => x.Owner).HasColumnName("owner").HasMaxLength(128);
            e.Property(x => x.Queue).HasColumnName("queue").HasMaxLength(128);
            e.HasIndex(x => new { x.Owner, x.Tag, x.TaskId }, "ix_task_tags_owner").HasFilter("owner is not null");
        });
        model.Entity<AttemptRow>(e =>
        {
            e.ToTable("attempts").HasKey(x => x.Id);
            e.Property(x => x.Id).HasColumnName("id").ValueGeneratedOnAdd();
            e.Property(x => x.TaskId).HasColumnName("task_id");
            e.Property(x => x.Attempt).HasColumnName("attempt");
            e.Property(x => x.End).HasColumnName("type");
            e.Property(x => x.StartedAt).HasColumnName("started_at");
            e.Property(x => x.EndedAt).HasColumnName("ended_at");
            e.Property(x => x.DueAt).HasColumnName("due_at");
            e.Property(x => x.ResumedAt).HasColumnName("resumed_at");
            e.Property(x => x.Worker).HasColumnName("worker");
            e.Property(x => x.Error).HasColumnName("error");
            e.HasIndex(x => x.TaskId, "ix_attempts_task");
        });
    }

    private static void MapTasks(EntityTypeBuilder<TaskState> e)
    {
        MapColumns(e, TaskColumn.Cold).ToTable(Cold);
        // For lists of a single owner.
        e.HasIndex(x => new { x.Owner, x.CorrelationId }, "ix_tasks_owner").HasFilter("owner is not null");
        // The newest tasks whose own ids do not say when they were accepted: of all, of a queue, or of an owner.
        e.HasIndex(x => x.ListedAs, "ix_tasks_listed").HasFilter("listed_as is not null");
        e.HasIndex(x => new { x.Queue, x.ListedAs }, "ix_tasks_queue_listed").HasFilter("listed_as is not null");
        e.HasIndex(x => new { x.Owner, x.ListedAs }, "ix_tasks_owner_listed").HasFilter("owner is not null and listed_as is not null");
        // The tasks of a batch in item order.
        e.HasIndex(x => new { x.BatchId, x.CorrelationId }, "ix_tasks_batch").HasFilter("batch_id is not null");
        // For searches, newest first: see docs/search.md.
        e.HasIndex(x => new { x.Queue, x.CorrelationId }, "ix_tasks_queue");
        e.HasIndex(x => new { x.OrderingKey, x.CorrelationId }, "ix_tasks_ordering_key").HasFilter("ordering_key is not null");
        e.HasIndex(x => new { x.ScheduleId, x.CorrelationId }, "ix_tasks_schedule").HasFilter("schedule_id is not null");
    }

    private static void MapReady(EntityTypeBuilder<TaskState> e)
    {
        MapColumns(e, TaskColumn.Ready).ToTable(Ready, t => t.HasCheckConstraint("ck_ready_state", $"state in {SqlStates.Waiting}"));
        e.HasIndex(x => new { x.Queue, x.Tier, x.Priority, x.DueAt, x.CreatedAt, x.CorrelationId }, "ix_ready_claim")
            .HasFilter("not blocked");
        e.HasIndex(x => x.DispatchAt, "ix_ready_dispatch").HasFilter("dispatch_at is not null");
        e.HasIndex(x => x.ExpiresAt, "ix_ready_expiry").HasFilter("expires_at is not null");
        e.HasIndex(x => new { x.Queue, x.OrderingKey, x.DueAt, x.CreatedAt, x.CorrelationId }, "ix_ready_ordering_key")
            .HasFilter("ordering_key is not null");
        // At most one waiting head of an ordering key, also under concurrent writers.
        e.HasIndex(x => new { x.Queue, x.OrderingKey }, TaskDbContext.HeadIndex).IsUnique()
            .HasFilter("ordering_key is not null and not blocked");
        // A tenant's quota of waiting tasks and its lists by state, whatever others have.
        e.HasIndex(x => new { x.Owner, x.State, x.CorrelationId }, "ix_ready_owner").HasFilter("owner is not null");
        // For lists of tasks that are retried: few among many that wait.
        e.HasIndex(x => x.CorrelationId, "ix_ready_retrying").HasFilter($"state = {TaskStates.Retrying}");
        e.HasIndex(x => x.BatchId, "ix_ready_batch").HasFilter("batch_id is not null");
    }

    private static void MapRunning(EntityTypeBuilder<TaskState> e)
    {
        MapColumns(e, TaskColumn.Running).ToTable(Running);
        e.HasIndex(x => x.LeaseUntil, "ix_running_lease").HasFilter("lease_until is not null");
        e.HasIndex(x => x.Queue, "ix_running_limited").HasFilter("limited");
        e.HasIndex(x => new { x.Queue, x.OrderingKey }, "ix_running_ordering_key").HasFilter("ordering_key is not null");
        e.HasIndex(x => x.BatchId, "ix_running_batch").HasFilter("batch_id is not null");
    }

    private static void MapOutcomes(EntityTypeBuilder<TaskState> e)
    {
        MapColumns(e, TaskColumn.Outcomes).ToTable(
            Outcomes, t => t.HasCheckConstraint("ck_outcomes_state", $"state in {SqlStates.Finished}"));
        // For lists of failures: rare states among many completed rows.
        e.HasIndex(x => new { x.State, x.CorrelationId }, "ix_outcomes_ended").HasFilter($"state in {SqlStates.Unsuccessful}");
        // For lists and counts of a single owner, however many tasks it has in other states.
        e.HasIndex(x => new { x.Owner, x.State, x.CorrelationId }, "ix_outcomes_owner").HasFilter("owner is not null");
        e.HasIndex(x => x.DeleteAt, "ix_outcomes_delete").HasFilter("delete_at is not null");
        e.HasIndex(x => new { x.Queue, x.FinishedAt, x.CorrelationId }, "ix_outcomes_dead").HasFilter("dead");
    }

    private static EntityTypeBuilder<TaskState> MapColumns(EntityTypeBuilder<TaskState> e, TaskColumn[] columns)
    {
        var mapped = columns.ToDictionary(c => c.Property);
        foreach (var property in typeof(TaskState).GetProperties().Where(p => !mapped.ContainsKey(p.Name)))
            e.Ignore(property.Name);
        foreach (var column in columns)
        {
            var property = column.Name is "octets" or "crashes" ? e.Property<int>(column.Property) : e.Property(column.Property);
            property.HasColumnName(column.Name);
            if (column.Name == "id")
                property.ValueGeneratedNever();
            if (column.Name == "crashes")
                property.HasDefaultValue(0);
            if (MaxLength(column.Name) is { } length)
                property.HasMaxLength(length);
        }

        e.HasKey(x => x.CorrelationId);
        return e;
    }

    private static int? MaxLength(string column) => column switch
    {
        "queue" or "owner" or "claimed_by" => 128,
        "name" or "dedupe_key" or "ordering_key" => StoredKeyLength,
        _ => null,
    };
}

/// <summary>A row of table <c>dedupe_keys</c>: the waiting or running task that holds a dedupe key.</summary>
public sealed class DedupeKeyRow
{
    /// <summary>Base name of the queue.</summary>
    public string Queue { get; set; } = "";

    /// <summary>The key, prefixed with its tenant.</summary>
    public string DedupeKey { get; set; } = "";

    /// <summary>Its holder.</summary>
    public Guid TaskId { get; set; }
}
