using Microsoft.Data.SqlClient;
using TaskQueue.Engine.Tasks;
using static TaskQueue.Storage.SqlServer.Statement;

namespace TaskQueue.Storage.SqlServer;

internal sealed partial class SqlServerTaskStore
{
    /// <summary>The constraint that an insert of an existing id violates.</summary>
    private const string TasksKey = "PK_tasks";

    // All or nothing: if an id exists the statement fails.
    private static readonly Statement InsertNewSql = new($"{AllOrNothing}\n{InsertText()}", Json("@tasks"), Json("@ready"),
        Json("@tags"));

    // A transaction of its own. The partition is locked after the last row.
    private static readonly Statement InsertWithEventsSql = new(
        $"""
        {AllOrNothing}
        begin transaction;
        {InsertText()}
        if @events is not null
        begin
            {AppendText}
        end;
        commit;
        """,
        Json("@tasks"), Json("@ready"), Json("@tags"), Int("@partition"), Json("@events"));

    /// <summary>Inserts into both tables, by id: the order in which transactions wait for each other's. Then their tags, if any.</summary>
    /// <param name="only">The condition of the rows n to insert, by id.</param>
    /// <param name="output">What is returned of each row of <c>tasks</c>.</param>
    private static string InsertText(string only = "", string output = "") =>
        $"""
        insert into tasks ({TaskColumn.List(TaskColumn.Cold)}){output}
        select {TaskColumn.List(TaskColumn.Cold, "n.")} from {Rows.Table("@tasks", TaskColumn.Cold)} as n {only}order by n.id;
        insert into ready ({TaskColumn.List(TaskColumn.Ready)})
        select {TaskColumn.List(TaskColumn.Ready, "n.")} from {Rows.Table("@ready", TaskColumn.Ready)} as n {only}order by n.id;
        if @tags is not null
        insert into task_tags (tag, task_id, owner, queue)
        select n.tag, n.id, n.owner, n.queue from {Rows.Table("@tags", $"tag nvarchar({TaskTags.MaxLength})", "id binary(16)",
            $"owner {SqlServerTaskDbContext.ExactType}", "queue nvarchar(128)")} as n {only}order by n.tag, n.id;
        """;

    public async Task<IReadOnlyList<SubmitResult>?> InsertAsync(IReadOnlyList<NewTask> tasks, InsertStep? step = null) =>
        step is null && tasks.All(t => t.Task is { DedupeKey: null, OrderingKey: null })
            && await InsertPlainAsync([.. tasks.Select(t => t.Task)])
            ? [.. tasks.Select(t => new SubmitResult(t.Task.CorrelationId, SubmitStatus.Accepted, t.Task))]
            : (await InTransactionAsync((connection, transaction) => InsertOrderedAsync(connection, transaction, tasks, step))).Answers;

    /// <summary>Inserts tasks that can conflict only by their id. False if one exists; then nothing is inserted.</summary>
    private async Task<bool> InsertPlainAsync(List<TaskState> tasks)
    {
        var events = OutboxRows.Pack(tasks.Select(t => t.Submitted()));
        object?[] values = [.. NewRows(tasks), PickPartition(), events.Count == 0 ? null : OutboxJsonOf(events)];
        return await RetryRacesAsync(async () =>
        {
            try
            {
                await using var connection = await OpenAsync();
                await ExecuteAsync(connection, null, InsertWithEventsSql, values);
                return (int?)1;
            }
            catch (SqlException taken) when (SqlServerFaults.IsDuplicateOf(taken, TasksKey))
            {
                return 0;
            }
        }) == 1;
    }

    /// <summary>The rows of new tasks for both tables, and of their tags.</summary>
    private static object?[] NewRows(IReadOnlyList<TaskState> tasks)
    {
        TaskSize.Measure(tasks);
        var tags = TaskTag.Of(tasks);
        return
        [
            Rows.Json(TaskColumn.Cold, tasks), Rows.Json(TaskColumn.Ready, tasks),
            tags.Count == 0 ? null : Rows.Json(tags.Select(t => (object?[])[t.Tag, t.TaskId, t.Owner, t.Queue])),
        ];
    }
}
