using System.Data.Common;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// A column of table <c>tasks</c> for the hot-path statements, which read and write whole groups without change tracking. A test compares
/// the list with the EF Core model.
/// </summary>
internal abstract class TaskColumn(string name, bool changes, bool bulky)
{
    /// <summary>All columns, in the order used by the statements.</summary>
    public static readonly TaskColumn[] All =
    [
        new TaskColumn<Guid>("id", t => t.CorrelationId, (t, v) => t.CorrelationId = v),
        new TaskColumn<int>("state", t => t.State, (t, v) => t.State = v, changes: true),
        new TaskColumn<string>("queue", t => t.Queue, (t, v) => t.Queue = v),
        new TaskColumn<int>("tier", t => t.Tier, (t, v) => t.Tier = v),
        new TaskColumn<int>("priority", t => (int)t.Priority, (t, v) => t.Priority = (Priority)v),
        new TaskColumn<bool>("push", t => t.Push, (t, v) => t.Push = v),
        new TaskColumn<string?>("name", t => t.Name, (t, v) => t.Name = v),
        new TaskColumn<string?>("dedupe_key", t => t.DedupeKey, (t, v) => t.DedupeKey = v),
        new TaskColumn<string?>("ordering_key", t => t.OrderingKey, (t, v) => t.OrderingKey = v),
        new TaskColumn<bool>("blocked", t => t.Blocked, (t, v) => t.Blocked = v, changes: true),
        new TaskColumn<string>("payload", t => t.Payload, (t, v) => t.Payload = v, bulky: true),
        new TaskColumn<string?>("headers", t => t.Headers, (t, v) => t.Headers = v, bulky: true),
        new TaskColumn<string?>("result", t => t.Result, (t, v) => t.Result = v, changes: true),
        new TaskColumn<string?>("error", t => t.Error, (t, v) => t.Error = v, changes: true),
        new TaskColumn<int>("attempt", t => t.Attempt, (t, v) => t.Attempt = v, changes: true),
        new TaskColumn<int>("attempts_left", t => t.AttemptsLeft, (t, v) => t.AttemptsLeft = v, changes: true),
        new TaskColumn<int>("max_attempts", t => t.MaxAttempts, (t, v) => t.MaxAttempts = v),
        new TaskColumn<string?>("retry", t => t.Retry, (t, v) => t.Retry = v),
        new TaskColumn<int>("default_lease_ms", t => t.DefaultLeaseMs, (t, v) => t.DefaultLeaseMs = v),
        new TaskColumn<int>("lease_ms", t => t.LeaseMs, (t, v) => t.LeaseMs = v, changes: true),
        new TaskColumn<DateTime?>("lease_until", t => t.LeaseUntil, (t, v) => t.LeaseUntil = v, changes: true),
        new TaskColumn<string?>("worker", t => t.Worker, (t, v) => t.Worker = v, changes: true),
        new TaskColumn<string?>("claimed_by", t => t.ClaimedBy, (t, v) => t.ClaimedBy = v, changes: true),
        new TaskColumn<DateTime>("created_at", t => t.CreatedAt, (t, v) => t.CreatedAt = v),
        new TaskColumn<DateTime>("due_at", t => t.DueAt, (t, v) => t.DueAt = v, changes: true),
        new TaskColumn<DateTime?>("expires_at", t => t.ExpiresAt, (t, v) => t.ExpiresAt = v, changes: true),
        new TaskColumn<DateTime?>("started_at", t => t.StartedAt, (t, v) => t.StartedAt = v, changes: true),
        new TaskColumn<DateTime?>("finished_at", t => t.FinishedAt, (t, v) => t.FinishedAt = v, changes: true),
        new TaskColumn<bool>("limited", t => t.Limited, (t, v) => t.Limited = v, changes: true),
        new TaskColumn<bool>("dead", t => t.Dead, (t, v) => t.Dead = v, changes: true),
        new TaskColumn<DateTime?>("delete_at", t => t.DeleteAt, (t, v) => t.DeleteAt = v, changes: true),
        new TaskColumn<DateTime?>("dispatch_at", t => t.DispatchAt, (t, v) => t.DispatchAt = v, changes: true),
        new TaskColumn<string?>("ending", t => t.CompletionActions, (t, v) => t.CompletionActions = v),
        new TaskColumn<Guid?>("batch_id", t => t.BatchId, (t, v) => t.BatchId = v),
        new TaskColumn<string?>("owner", t => t.Owner, (t, v) => t.Owner = v),
        new TaskColumn<string?>("progress", t => t.Progress, (t, v) => t.Progress = v, changes: true),
    ];

    /// <summary>Columns that a transition reads: all but the bulky ones, which it never changes.</summary>
    public static readonly TaskColumn[] Loaded = [.. All.Where(c => !c.Bulky)];

    /// <summary>Columns that a transition may change.</summary>
    public static readonly TaskColumn[] Changed = [.. All.Where(c => c.Changes)];

    /// <summary>Columns that a duplicate may overwrite on the holder of its dedupe key.</summary>
    public static readonly TaskColumn[] Overwritten = [.. All.Where(c => c.Name is "payload" or "due_at" or "expires_at" or "dispatch_at")];

    /// <summary>The primary key.</summary>
    public static TaskColumn Id => All[0];

    /// <summary>Name in the database.</summary>
    public string Name { get; } = name;

    /// <summary>Whether a transition may change it.</summary>
    public bool Changes { get; } = changes;

    /// <summary>Whether it is not read for a transition.</summary>
    public bool Bulky { get; } = bulky;

    /// <summary>Reads a value into a task.</summary>
    public abstract void Read(TaskState task, DbDataReader reader, int ordinal);

    /// <summary>Calls a visitor with the type of the values.</summary>
    public abstract TResult Accept<TResult>(ITaskColumnVisitor<TResult> visitor);

    /// <summary>The type of its values, without <see cref="Nullable{T}"/>.</summary>
    public abstract Type Type { get; }

    /// <summary>The value of a task.</summary>
    public abstract object? Value(TaskState task);

    /// <summary>Comma-separated column names, each with a prefix.</summary>
    public static string List(IEnumerable<TaskColumn> columns, string prefix = "") =>
        string.Join(", ", columns.Select(c => prefix + c.Name));

    /// <summary>Reads a task from a row that begins with these columns.</summary>
    public static TaskState ReadRow(TaskColumn[] columns, DbDataReader reader)
    {
        var task = new TaskState();
        for (var i = 0; i < columns.Length; i++)
            columns[i].Read(task, reader, i);
        return task;
    }
}

internal sealed class TaskColumn<T>(string name, Func<TaskState, T> get, Action<TaskState, T> set, bool changes = false, bool bulky = false)
    : TaskColumn(name, changes, bulky)
{
    public override void Read(TaskState task, DbDataReader reader, int ordinal)
    {
        if (reader.IsDBNull(ordinal))
            return; // a new task has the same default
        if (typeof(T) == typeof(DateTime) || typeof(T) == typeof(DateTime?))
            set(task, (T)(object)StoredValue.Time(reader, ordinal));
        else if (typeof(T) == typeof(Guid) || typeof(T) == typeof(Guid?))
            set(task, (T)(object)StoredValue.Id(reader, ordinal));
        else
            set(task, reader.GetFieldValue<T>(ordinal));
    }

    /// <summary>The value of a task.</summary>
    public T Get(TaskState task) => get(task);

    public override TResult Accept<TResult>(ITaskColumnVisitor<TResult> visitor) => visitor.Visit(this);

    public override Type Type => Nullable.GetUnderlyingType(typeof(T)) ?? typeof(T);

    public override object? Value(TaskState task) => get(task);
}

/// <summary>Visits a column with its static type.</summary>
internal interface ITaskColumnVisitor<out TResult>
{
    /// <summary>Called with the column.</summary>
    TResult Visit<T>(TaskColumn<T> column);
}
