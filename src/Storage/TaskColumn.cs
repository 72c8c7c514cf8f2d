using System.Data.Common;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Storage;

/// <summary>
/// A column of the task tables, for the hot-path statements, which read and write whole groups without change tracking. The EF Core model
/// is built from the same list.
/// </summary>
internal abstract class TaskColumn(string name, string property, TaskTable tables)
{
    private const TaskTable Moving = TaskTable.Ready | TaskTable.Running | TaskTable.Outcomes;

    /// <summary>Copied from the task to its row while it is alive, so that a transition reads only that row.</summary>
    private const TaskTable Copied = TaskTable.Tasks | TaskTable.Ready | TaskTable.Running;

    private const TaskTable Everywhere = Copied | TaskTable.Outcomes;

    /// <summary>All columns, in the order used by the statements.</summary>
    public static readonly TaskColumn[] All =
    [
        new TaskColumn<Guid>("id", nameof(TaskState.CorrelationId), Everywhere, t => t.CorrelationId, (t, v) => t.CorrelationId = v),
        new TaskColumn<int>("state", nameof(TaskState.State), TaskTable.Ready | TaskTable.Outcomes, t => t.State, (t, v) => t.State = v),
        new TaskColumn<string>("queue", nameof(TaskState.Queue), Everywhere, t => t.Queue, (t, v) => t.Queue = v),
        new TaskColumn<int>("tier", nameof(TaskState.Tier), Everywhere, t => t.Tier, (t, v) => t.Tier = v),
        new TaskColumn<int>("priority", nameof(TaskState.Priority), Copied, t => (int)t.Priority, (t, v) => t.Priority = (Priority)v),
        new TaskColumn<bool>("push", nameof(TaskState.Push), Copied, t => t.Push, (t, v) => t.Push = v),
        new TaskColumn<string?>("name", nameof(TaskState.Name), Copied, t => t.Name, (t, v) => t.Name = v),
        new TaskColumn<string?>("dedupe_key", nameof(TaskState.DedupeKey), Copied, t => t.DedupeKey, (t, v) => t.DedupeKey = v),
        new TaskColumn<string?>("ordering_key", nameof(TaskState.OrderingKey), Copied, t => t.OrderingKey, (t, v) => t.OrderingKey = v),
        new TaskColumn<bool>("blocked", nameof(TaskState.Blocked), TaskTable.Ready, t => t.Blocked, (t, v) => t.Blocked = v),
        new TaskColumn<string>("payload", nameof(TaskState.Payload), TaskTable.Tasks, t => t.Payload, (t, v) => t.Payload = v),
        new TaskColumn<string?>("headers", nameof(TaskState.Headers), TaskTable.Tasks, t => t.Headers, (t, v) => t.Headers = v),
        new TaskColumn<string?>("result", nameof(TaskState.Result), TaskTable.Outcomes, t => t.Result, (t, v) => t.Result = v),
        new TaskColumn<string?>("error", nameof(TaskState.Error), Moving, t => t.Error, (t, v) => t.Error = v),
        new TaskColumn<int>("attempt", nameof(TaskState.Attempt), Moving, t => t.Attempt, (t, v) => t.Attempt = v),
        new TaskColumn<int>("attempts_left", nameof(TaskState.AttemptsLeft), Moving, t => t.AttemptsLeft, (t, v) => t.AttemptsLeft = v),
        new TaskColumn<int>("max_attempts", nameof(TaskState.MaxAttempts), Copied, t => t.MaxAttempts, (t, v) => t.MaxAttempts = v),
        new TaskColumn<string?>("retry", nameof(TaskState.Retry), Copied, t => t.Retry, (t, v) => t.Retry = v),
        new TaskColumn<int>(
            "default_lease_ms", nameof(TaskState.DefaultLeaseMs), Copied, t => t.DefaultLeaseMs, (t, v) => t.DefaultLeaseMs = v),
        new TaskColumn<int>("lease_ms", nameof(TaskState.LeaseMs), Moving, t => t.LeaseMs, (t, v) => t.LeaseMs = v),
        new TaskColumn<DateTime?>(
            "lease_until", nameof(TaskState.LeaseUntil), TaskTable.Running, t => t.LeaseUntil, (t, v) => t.LeaseUntil = v),
        new TaskColumn<string?>("worker", nameof(TaskState.Worker), Moving, t => t.Worker, (t, v) => t.Worker = v),
        new TaskColumn<string?>("claimed_by", nameof(TaskState.ClaimedBy), Moving, t => t.ClaimedBy, (t, v) => t.ClaimedBy = v),
        new TaskColumn<DateTime>("created_at", nameof(TaskState.CreatedAt), Copied, t => t.CreatedAt, (t, v) => t.CreatedAt = v),
        new TaskColumn<DateTime>("due_at", nameof(TaskState.DueAt), Everywhere, t => t.DueAt, (t, v) => t.DueAt = v),
        new TaskColumn<DateTime?>("expires_at", nameof(TaskState.ExpiresAt), Moving, t => t.ExpiresAt, (t, v) => t.ExpiresAt = v),
        new TaskColumn<DateTime?>("started_at", nameof(TaskState.StartedAt), Moving, t => t.StartedAt, (t, v) => t.StartedAt = v),
        new TaskColumn<DateTime?>(
            "finished_at", nameof(TaskState.FinishedAt), TaskTable.Outcomes, t => t.FinishedAt, (t, v) => t.FinishedAt = v),
        new TaskColumn<bool>("limited", nameof(TaskState.Limited), TaskTable.Running, t => t.Limited, (t, v) => t.Limited = v),
        new TaskColumn<bool>("dead", nameof(TaskState.Dead), TaskTable.Outcomes, t => t.Dead, (t, v) => t.Dead = v),
        new TaskColumn<DateTime?>("delete_at", nameof(TaskState.DeleteAt), TaskTable.Outcomes, t => t.DeleteAt, (t, v) => t.DeleteAt = v),
        new TaskColumn<DateTime?>(
            "dispatch_at", nameof(TaskState.DispatchAt), TaskTable.Ready, t => t.DispatchAt, (t, v) => t.DispatchAt = v),
        new TaskColumn<string?>(
            "ending", nameof(TaskState.CompletionActions), Copied, t => t.CompletionActions, (t, v) => t.CompletionActions = v),
        new TaskColumn<Guid?>("batch_id", nameof(TaskState.BatchId), Copied, t => t.BatchId, (t, v) => t.BatchId = v),
        new TaskColumn<string?>("owner", nameof(TaskState.Owner), Everywhere, t => t.Owner, (t, v) => t.Owner = v),
        new TaskColumn<string?>("tags", nameof(TaskState.Tags), TaskTable.Tasks, t => t.Tags, (t, v) => t.Tags = v),
        new TaskColumn<int?>("schedule_id", nameof(TaskState.ScheduleId), TaskTable.Tasks, t => t.ScheduleId, (t, v) => t.ScheduleId = v),
        new TaskColumn<Guid?>("listed_as", nameof(TaskState.ListedAs), TaskTable.Tasks, t => t.ListedAs, (t, v) => t.ListedAs = v),
        new TaskColumn<string?>("progress", nameof(TaskState.Progress), Moving, t => t.Progress, (t, v) => t.Progress = v),
        new TaskColumn<int>(
            "octets", nameof(TaskState.Octets), TaskTable.Ready | TaskTable.Running, t => t.Octets, (t, v) => t.Octets = v),
        new TaskColumn<int>(
            "crashes", nameof(TaskState.Crashes), TaskTable.Ready | TaskTable.Running, t => t.Crashes, (t, v) => t.Crashes = v),
    ];

    /// <summary>Columns of <c>tasks</c>.</summary>
    public static readonly TaskColumn[] Cold = Of(TaskTable.Tasks);

    /// <summary>Columns of <c>ready</c>.</summary>
    public static readonly TaskColumn[] Ready = Of(TaskTable.Ready);

    /// <summary>Columns of <c>running</c>.</summary>
    public static readonly TaskColumn[] Running = Of(TaskTable.Running);

    /// <summary>Columns of <c>outcomes</c>.</summary>
    public static readonly TaskColumn[] Outcomes = Of(TaskTable.Outcomes);

    /// <summary>Columns that a transition reads: all but payload, headers and result, on which no decision depends.</summary>
    public static readonly TaskColumn[] Loaded = [.. All.Where(c => c.Tables != TaskTable.Tasks && c.Name != "result")];

    /// <summary>Columns of a task that a duplicate meets: nothing that is large and stays as it is.</summary>
    public static readonly TaskColumn[] Met =
        [.. All.Where(c => c.Name is not ("payload" or "result" or "error" or "progress" or "listed_as"))];

    /// <summary>Columns of a whole task.</summary>
    public static readonly TaskColumn[] Visible = [.. All.Where(c => c.Name is not ("octets" or "crashes"))];

    /// <summary>
    /// Columns that a worker gets: of earlier attempts only their progress, which is short, so that payload and headers are all that may
    /// be large.
    /// </summary>
    public static readonly TaskColumn[] Delivered = [.. Visible.Where(c => c.Name is not ("result" or "error" or "listed_as"))];

    /// <summary>The primary key.</summary>
    public static TaskColumn Id => All[0];

    /// <summary>Name in the database.</summary>
    public string Name { get; } = name;

    /// <summary>Name of the property of <see cref="TaskState"/>.</summary>
    public string Property { get; } = property;

    /// <summary>The tables that have the column.</summary>
    public TaskTable Tables { get; } = tables;

    /// <summary>Whether its value may be long, so that a transition reads it only if it needs it.</summary>
    public bool MayBeLong => Name == "error";

    /// <summary>Whether a table has the column.</summary>
    public bool IsIn(TaskTable table) => (Tables & table) != TaskTable.None;

    /// <summary>Reads a value into a task.</summary>
    public abstract void Read(TaskState task, DbDataReader reader, int ordinal);

    /// <summary>Calls a visitor with the type of the values.</summary>
    public abstract TResult Accept<TResult>(ITaskColumnVisitor<TResult> visitor);

    /// <summary>The type of its values, without <see cref="Nullable{T}"/>.</summary>
    public abstract Type Type { get; }

    /// <summary>The value of a task.</summary>
    public abstract object? Value(TaskState task);

    /// <summary>The columns of a table.</summary>
    public static TaskColumn[] Of(TaskTable table) => [.. All.Where(c => c.IsIn(table))];

    /// <summary>The columns that a transition changes in a row that stays in its table.</summary>
    public static TaskColumn[] Changing(TaskTable table) =>
        [.. Of(table).Where(c => (!c.IsIn(TaskTable.Tasks) || c.Name == "due_at") && c.Name != "result")];

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

internal sealed class TaskColumn<T>(string name, string property, TaskTable tables, Func<TaskState, T> get, Action<TaskState, T> set)
    : TaskColumn(name, property, tables)
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
