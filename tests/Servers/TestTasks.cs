using System.Reflection;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;

namespace TaskQueue.Tests.Servers;

/// <summary>Tasks for tests, and their state afterwards.</summary>
internal static class TestTasks
{
    /// <summary>When test tasks are accepted and due, with microseconds.</summary>
    public static readonly DateTime T0 = new DateTime(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc).AddTicks(1_234_560);

    private static readonly PropertyInfo[] Columns =
        [.. typeof(TaskState).GetProperties().Where(p => p.SetMethod is { IsPublic: true }).OrderBy(p => p.Name)];

    /// <summary>A waiting task, due at <see cref="T0"/>, with three attempts.</summary>
    public static TaskState New(string queue = "q", Action<TaskState>? change = null)
    {
        var task = new TaskState
        {
            CorrelationId = TaskId.New(TimeProvider.System),
            State = TaskStates.Pending,
            Queue = queue,
            Payload = "{}",
            AttemptsLeft = 3,
            MaxAttempts = 3,
            CreatedAt = T0,
            DueAt = T0,
        };
        change?.Invoke(task);
        return task;
    }

    /// <summary>All columns of a row as text, one per line, without the named ones.</summary>
    public static string Describe(this TaskState task, params string[] without) =>
        string.Join('\n', Columns.Where(p => !without.Contains(p.Name)).Select(p => $"{p.Name} = {Text(p.GetValue(task))}"));

    /// <summary>The row as the database has it.</summary>
    public static async Task<TaskState?> FindAsync(this TestDatabase database, Guid id)
    {
        await using var context = database.CreateContext();
        return await context.Tasks.AsNoTracking().SingleOrDefaultAsync(t => t.CorrelationId == id);
    }

    /// <summary>The row as the database has it.</summary>
    public static async Task<TaskState> GetAsync(this TestDatabase database, Guid id) =>
        await database.FindAsync(id) ?? throw new InvalidOperationException($"There is no task {id}.");

    /// <summary>The events of a task in the outbox, oldest first.</summary>
    public static async Task<List<TaskEvent>> EventsOfAsync(this TestDatabase database, Guid id)
    {
        await using var context = database.CreateContext();
        return [.. (await context.EventsAsync()).Where(e => e.TaskId == id)];
    }

    /// <summary>All events in the outbox, oldest first.</summary>
    public static async Task<List<TaskEvent>> EventsAsync(this TaskDbContext context) =>
        [.. (await context.Outbox.AsNoTracking().OrderBy(o => o.Id).ToListAsync()).SelectMany(row => OutboxRows.Unpack(row))];

    /// <summary>Inserts tasks in any state as they are, without events.</summary>
    public static async Task InsertAsync(this TaskDbContext context, params IEnumerable<TaskState> tasks)
    {
        List<TaskState> rows = [.. tasks];
        TaskSize.Measure(rows);
        context.Submitted.AddRange(rows);
        await context.SaveChangesAsync();
        context.ChangeTracker.Clear(); // an object is tracked as a row of one table
        foreach (var task in rows)
            context.Set<TaskState>(TaskMove.NameOf(TaskMove.TableOf(task.State))).Add(task);
        foreach (var task in rows.Where(t => t.DedupeKey is not null && !TaskStates.IsTerminal(t.State)))
            context.Add(new DedupeKeyRow { Queue = task.Queue, DedupeKey = task.DedupeKey!, TaskId = task.CorrelationId });
        context.AddRange(TaskTag.Of(rows));
        await context.SaveChangesAsync();
        context.ChangeTracker.Clear();
    }

    /// <summary>Deletes all tasks and events.</summary>
    public static async Task ClearAsync(this TestDatabase database)
    {
        await using var context = database.CreateContext();
        await context.Outbox.ExecuteDeleteAsync();
        await context.Attempts.ExecuteDeleteAsync();
        await context.TaskTags.ExecuteDeleteAsync();
        await context.Set<DedupeKeyRow>().ExecuteDeleteAsync();
        await context.Ready.ExecuteDeleteAsync();
        await context.Running.ExecuteDeleteAsync();
        await context.Outcomes.ExecuteDeleteAsync();
        await context.Submitted.ExecuteDeleteAsync();
    }

    private static string Text(object? value) => value switch
    {
        null => "null",
        DateTime time => $"{time:O}",
        _ => value.ToString()!,
    };
}
