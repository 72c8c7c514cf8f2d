using System.Reflection;
using Microsoft.EntityFrameworkCore;
using TaskQueue.Contracts;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Tests.Servers;

/// <summary>Rows of table <c>tasks</c> for tests, and their state afterwards.</summary>
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

    /// <summary>The timeline of a task, oldest first.</summary>
    public static async Task<List<TaskEvent>> EventsOfAsync(this TestDatabase database, Guid id)
    {
        await using var context = database.CreateContext();
        return await context.TaskEvents.AsNoTracking().Where(e => e.TaskId == id).OrderBy(e => e.Id).ToListAsync();
    }

    /// <summary>Deletes all tasks and events.</summary>
    public static async Task ClearAsync(this TestDatabase database)
    {
        await using var context = database.CreateContext();
        await context.TaskEvents.ExecuteDeleteAsync();
        await context.Tasks.ExecuteDeleteAsync();
    }

    private static string Text(object? value) => value switch
    {
        null => "null",
        DateTime time => $"{time:O}",
        _ => value.ToString()!,
    };
}
