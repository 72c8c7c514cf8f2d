namespace TaskQueue.Bench.Servers;

/// <summary>A task that SQL generates from a number, as the engine would write it, but without events.</summary>
/// <param name="Queue">Name of the queue, or the prefix of the names of several.</param>
/// <param name="Queues">Number of queues, if their names end in a number.</param>
/// <param name="Tier">Tier of the task.</param>
/// <param name="MaxAttempts">Maximum number of attempts.</param>
/// <param name="IsFinished">Whether it completed long ago; otherwise it waits since now.</param>
/// <param name="IsMixed">
/// Whether every seventh task has the owner <see cref="Owner"/>, and of 1,000 finished tasks one each failed, was cancelled and
/// has expired; every tenth that failed is a dead letter.
/// </param>
internal sealed record TaskRow(string Queue, int Queues = 0, int Tier = 0, int MaxAttempts = 4, bool IsFinished = false,
    bool IsMixed = false)
{
    public const string Owner = "tenant";

    private string OwnerOf(RowSql sql) => IsMixed ? $"case when n % 7 = 0 then {sql.Owner} end" : "null";

    /// <summary>The inserts of what was asked, and of where the task is now.</summary>
    /// <param name="sql">How the database writes the values.</param>
    /// <param name="numbers">What to select the numbers n from.</param>
    public string Inserts(RowSql sql, string numbers)
    {
        var queue = Queues > 0 ? $"concat('{Queue}', n % {Queues})" : $"'{Queue}'";
        var created = IsFinished ? sql.Created : sql.Now;
        var submitted =
            $"""
            insert into tasks (id, queue, tier, priority, push, name, payload, max_attempts, default_lease_ms, created_at, due_at, owner)
            select {sql.Id}, {queue}, {Tier}, 2, {sql.False}, {sql.Name}, {sql.Payload}, {MaxAttempts}, 15000, {created}, {created},
                {OwnerOf(sql)}
            from {numbers};
            """;
        return submitted + '\n' + (IsFinished ? Outcomes(sql, queue, numbers) : Ready(sql, queue, numbers));
    }

    private string Ready(RowSql sql, string queue, string numbers) =>
        $"""
        insert into ready (id, state, queue, tier, priority, push, name, blocked, attempt, attempts_left, max_attempts, default_lease_ms,
            lease_ms, created_at, due_at, octets, owner)
        select {sql.Id}, 3, {queue}, {Tier}, 2, {sql.False}, {sql.Name}, {sql.False}, 0, {MaxAttempts}, {MaxAttempts}, 15000,
            0, {sql.Now}, {sql.Now}, {sql.Octets}, {OwnerOf(sql)}
        from {numbers};
        """;

    private string Outcomes(RowSql sql, string queue, string numbers) =>
        $$"""
        insert into outcomes (id, state, queue, tier, result, attempt, attempts_left, lease_ms, worker, due_at, started_at, finished_at,
            dead, delete_at, owner)
        select {{sql.Id}}, {{(IsMixed ? "case n % 1000 when 1 then 6 when 2 then 8 when 3 then 9 else 5 end" : "5")}}, {{queue}}, {{Tier}},
            '{"output":"processed"}', 1, {{MaxAttempts - 1}}, 15000, 'bench', {{sql.Created}},
            {{sql.Created}}, {{sql.Created}}, {{(IsMixed ? $"case when n % 10000 = 1 then {sql.True} else {sql.False} end" : sql.False)}},
            {{sql.DeleteAt}}, {{OwnerOf(sql)}}
        from {{numbers}};
        """;
}

/// <summary>Expressions of a database for the columns of a task, over a number n.</summary>
/// <param name="Id">A time-ordered id of version 4.</param>
/// <param name="Name">The name of the processor.</param>
/// <param name="Payload">The payload.</param>
/// <param name="Octets">Its length in bytes of UTF-8.</param>
/// <param name="Created">When a finished task was accepted, and due.</param>
/// <param name="Now">The time, of each row where the database can tell: claims search from the time up to which they have claimed.</param>
/// <param name="DeleteAt">When a finished task is to be removed.</param>
/// <param name="Owner"><see cref="TaskRow.Owner"/>.</param>
/// <param name="False">False.</param>
/// <param name="True">True.</param>
internal sealed record RowSql(string Id, string Name, string Payload, string Octets, string Created, string Now, string DeleteAt,
    string Owner, string False, string True);
