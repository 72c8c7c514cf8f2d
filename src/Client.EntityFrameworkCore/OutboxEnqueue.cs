using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.Extensions.DependencyInjection;

namespace TaskQueue.Client;

/// <summary>Enqueues tasks in the transaction of a <see cref="DbContext"/>.</summary>
public static partial class OutboxEnqueue
{
    private const int MaxName = 256;

    /// <summary>
    /// Adds a task to the outbox, like any other new entity: it exists exactly if <c>SaveChanges</c>, and the transaction around it,
    /// commits. A relay sends it then: see <see cref="OutboxRegistration"/>.
    /// </summary>
    /// <param name="db">The context, whose model has the outbox.</param>
    /// <param name="task">The task.</param>
    /// <returns>Id of the task.</returns>
    /// <exception cref="ArgumentException">The task can never be accepted.</exception>
    /// <exception cref="InvalidOperationException">The model of the context has no outbox.</exception>
    public static Guid Enqueue(this DbContext db, NewTask task)
    {
        ArgumentNullException.ThrowIfNull(db);
        ArgumentNullException.ThrowIfNull(task);
        DemandOutbox(db);
        var submission = Check(task);
        var row = new OutboxTask
        {
            TaskId = task.Id,
            Queue = task.Queue,
            Submission = submission,
            Size = Encoding.UTF8.GetByteCount(submission),
            CreatedAt = ClockOf(db).GetUtcNow().UtcDateTime,
        };
        db.Add(row);
        OutboxSaves.Expect(db);
        return task.Id;
    }

    /// <summary>Adds a task with a value as its data to the outbox: see <see cref="Enqueue(DbContext, NewTask)"/>.</summary>
    /// <param name="db">The context, whose model has the outbox.</param>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Task name, which selects the processor.</param>
    /// <param name="value">The data.</param>
    /// <param name="type">Serialization metadata from a source-generated context.</param>
    /// <returns>Id of the task.</returns>
    public static Guid Enqueue<T>(this DbContext db, string queue, string name, T value, JsonTypeInfo<T> type) =>
        db.Enqueue(NewTask.Of(queue, name, value, type));

    /// <summary>
    /// Adds a task with a value as its data, such as <c>new { To = "ann" }</c>, to the outbox: see
    /// <see cref="Enqueue(DbContext, NewTask)"/>. Its JSON is made by reflection: camelCase.
    /// </summary>
    /// <param name="db">The context, whose model has the outbox.</param>
    /// <param name="queue">Base name of the queue.</param>
    /// <param name="name">Task name, which selects the processor.</param>
    /// <param name="value">The data; a text becomes a JSON string. See <see cref="NewTask.Data"/> for JSON text.</param>
    /// <returns>Id of the task.</returns>
    [RequiresUnreferencedCode(ReflectedJson.Limit)]
    [RequiresDynamicCode(ReflectedJson.Limit)]
    public static Guid Enqueue<T>(this DbContext db, string queue, string name, T value) => db.Enqueue(NewTask.Of(queue, name, value));

    /// <exception cref="InvalidOperationException">The model of the context has no outbox.</exception>
    internal static void DemandOutbox(DbContext db)
    {
        if (db.Model.FindEntityType(typeof(OutboxTask)) is null)
            throw new InvalidOperationException($"{db.GetType().Name} has no outbox: call modelBuilder.AddTaskQueueOutbox() in its "
                + "OnModelCreating, and add a migration");
    }

    /// <summary>Refuses at once, in the program that made the mistake, what the server would refuse later.</summary>
    private static string Check(NewTask task)
    {
        if (task.Id == Guid.Empty)
            throw new ArgumentException("the id of the task is empty", nameof(task));
        if (task.Queue is not { Length: >= 1 and <= OutboxModel.MaxQueue } || !QueueName().IsMatch(task.Queue))
            throw new ArgumentException($"the queue '{task.Queue}' must be a name of 1 to {OutboxModel.MaxQueue} letters, digits, - and _; "
                + "set the tier of a task with NewTask.Tier", nameof(task));
        if (task.Name is not { Length: >= 1 and <= MaxName })
            throw new ArgumentException($"the name of the task must have 1 to {MaxName} characters", nameof(task));
        try
        {
            return OutboxSubmission.Write(task);
        }
        catch (JsonException fault)
        {
            throw new ArgumentException(
                $"the data of the task is not JSON: {fault.Message} Use NewTask.Of for a value", nameof(task), fault);
        }
    }

    private static TimeProvider ClockOf(DbContext db) =>
        db.GetService<IDbContextOptions>().FindExtension<CoreOptionsExtension>()?.ApplicationServiceProvider?.GetService<TimeProvider>()
            ?? TimeProvider.System;

    [GeneratedRegex("^[a-zA-Z0-9_-]+\\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex QueueName();
}
