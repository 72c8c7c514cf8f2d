using Microsoft.EntityFrameworkCore;

namespace TaskQueue.Client;

/// <summary>
/// Rows that failed although each was sent alone, as if nothing could be sent. Whether that is an outage or they themselves, such as a row
/// with which every request times out, the rows after them tell: if one passes, those before it fall back.
/// </summary>
/// <param name="store">Finds the next rows.</param>
/// <param name="sender">Lets rows fall back.</param>
internal sealed class OutboxSuspects(OutboxStore store, OutboxSender sender)
{
    /// <summary>An outage is often short, and keeps the order: only after so many failures another row is tried.</summary>
    private const int Patience = 3;

    /// <summary>So many are remembered; the search goes on after them.</summary>
    private const int Most = 100;

    /// <summary>Rows that are tried at once while their failures do not look like an outage.</summary>
    private const int MostAtOnce = 10;

    private readonly List<(OutboxTask Row, string Error)> _failed = [];
    private int _times;

    /// <summary>Key of the row that was tried last.</summary>
    private long _last;

    /// <summary>Rows were settled.</summary>
    public void Passed()
    {
        _failed.Clear();
        _times = 0;
    }

    /// <summary>A row failed alone, and was released.</summary>
    /// <param name="db">Its database.</param>
    /// <param name="row">The row.</param>
    /// <param name="fault">Why it failed.</param>
    /// <param name="send">Sends rows.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>Null if a later row has passed; else why nothing can be sent.</returns>
    public async Task<Exception?> FailedAsync(
        DbContext db, OutboxTask row, Exception fault, Func<IReadOnlyList<OutboxTask>, Task<Exception?>> send,
        CancellationToken cancellationToken)
    {
        if (_failed.Count == 0 || _failed[0].Row.Sequence != row.Sequence)
        {
            Passed();
            _failed.Add((row, OutboxFaults.Text(fault)));
            _last = row.Sequence;
        }

        if (++_times < Patience)
            return fault;
        if (OutboxFaults.Judge(fault) == OutboxFault.Unknown)
        {
            // A kind of task that cannot be sent may have left any number of rows before it.
            var newest = await store.ClaimAsync(db, 1, cancellationToken, after: row.Sequence, newest: true);
            if (newest.Rows.Count > 0 && await send(newest.Rows) is null)
                return await FallBackAsync(db);
        }

        var other = fault;
        for (var tried = 0; tried == 0 || (tried < MostAtOnce && OutboxFaults.Judge(other) == OutboxFault.Unknown); tried++)
        {
            var next = await store.ClaimAsync(db, 1, cancellationToken, after: _last);
            if (next.Rows is not [var probe])
            {
                // All have failed: the server may be away. The search begins again.
                _failed.RemoveRange(1, _failed.Count - 1);
                _last = row.Sequence;
                return fault;
            }

            if (await send(next.Rows) is not { } problem)
                return await FallBackAsync(db);
            other = problem;
            _last = probe.Sequence;
            if (_failed.Count < Most)
                _failed.Add((probe, OutboxFaults.Text(problem)));
        }

        return fault;
    }

    private async Task<Exception?> FallBackAsync(DbContext db)
    {
        await sender.FallBackAsync(db, _failed);
        Passed();
        return null;
    }
}
