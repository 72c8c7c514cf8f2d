using System.Reflection;
using Npgsql;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage;
using TaskQueue.Storage.Postgres;
using TaskQueue.Storage.Sqlite;
using TaskQueue.Storage.SqlServer;

namespace TaskQueue.Tests.Unit.SqlServer;

/// <summary>The statements of the stores by name.</summary>
internal static class StoreStatements
{
    private static readonly DateTime At = new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc);

    private static readonly (int From, int To)[] Moves =
    [
        (TaskStates.Pending, TaskStates.Pending), (TaskStates.Pending, TaskStates.Running), (TaskStates.Pending, TaskStates.Cancelled),
        (TaskStates.Running, TaskStates.Running), (TaskStates.Running, TaskStates.Retrying), (TaskStates.Running, TaskStates.Completed),
        (TaskStates.Failed, TaskStates.Pending), (TaskStates.Failed, TaskStates.Failed),
    ];

    /// <summary>
    /// The static texts of a store by field; of several in a field each is named after its table. PostgreSQL has others, which it builds.
    /// </summary>
    public static Dictionary<string, string> Of(Type store)
    {
        var fields = store.GetFields(BindingFlags.Static | BindingFlags.NonPublic).SelectMany(f => Texts(f.Name, f.GetValue(null)));
        return (store == typeof(PostgresTaskStore) ? fields.Concat(Built()) : fields).ToDictionary(f => f.Name, f => f.Text);
    }

    private static IEnumerable<(string Name, string Text)> Texts(string name, object? value) => value switch
    {
        string text => [(name, text)],
        Statement statement => [(name, statement.Text)],
        RowStatement row => [(name, row.Text)],
        Dictionary<TaskTable, RowStatement> rows => rows.Select(r => ($"{name}.{r.Key}", r.Value.Text)),
        _ => [],
    };

    private static IEnumerable<(string Name, string Text)> Built()
    {
        foreach (var (from, to) in Moves)
        {
            var move = TaskMove.Of([Moved(from, to)])[0];
            yield return ($"{move.From}>{move.To}", TextOf(Storage.Postgres.Moves.Write(move, 0)));
        }

        var full = TaskMove.Of(Moves.Select(m => Full(m.From, m.To))).Select(m => TextOf(Storage.Postgres.Moves.Write(m, 0)));
        yield return ("Moves.Write", string.Join(";\n", full));
        var task = Full(TaskStates.Running, TaskStates.Retrying);
        yield return ("Moves.WriteHistory", TextOf(Storage.Postgres.Moves.WriteHistory(AttemptRows.Of([task]))));
        yield return ("Inserts.Write", TextOf(Inserts.Write([task], task.Events, 0)));
        yield return ("Inserts.WriteNew", TextOf(Inserts.WriteNew([task])));
        yield return ("Inserts.TakeKeys", TextOf(Inserts.TakeKeys([task])));
        yield return ("OutboxLease.SaveOffsetsSql", OutboxLease.SaveOffsetsSql);
        yield return ("OutboxWrites.Append", OutboxWrites.Append(new Parameters(), "$1", task.Events, only: null));
    }

    private static string TextOf(NpgsqlBatchCommand command) => command.CommandText;

    private static TaskState Moved(int from, int to) => new()
    {
        CorrelationId = Guid.CreateVersion7(), Queue = "a", State = to, Attempt = 1, Worker = "w", StartedAt = At,
        FinishedAt = TaskStates.IsTerminal(to) ? At : null,
        Row = new StoredRow(from, 0, TaskStates.IsTerminal(from) ? At : null, At, Error: null),
    };

    /// <summary>A task whose transition writes everything that one can.</summary>
    private static TaskState Full(int from, int to)
    {
        var task = Moved(from, to);
        task.DedupeKey = "k";
        task.Tags = "a";
        task.BatchId = Guid.CreateVersion7();
        task.CompletionActions = CompletionActionsJson.ToText(new CompletionActions { CallbackUrl = "http://localhost/" });
        task.Record(
            to switch
            {
                TaskStates.Pending => TaskEventType.Submitted,
                TaskStates.Running => TaskEventType.Started,
                TaskStates.Retrying => TaskEventType.Retrying,
                TaskStates.Completed => TaskEventType.Completed,
                TaskStates.Failed => TaskEventType.Failed,
                _ => TaskEventType.Cancelled,
            },
            At);
        return task;
    }
}
