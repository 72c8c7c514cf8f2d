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

    /// <summary>Then the search begins again: the server may be away.</summary>
    private const int Most = 100;

    private readonly List<(OutboxTask Row, string Error)> _failed = [];
    private int _times;

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
        }

        if (++_times < Patience)
            return fault;
        var next = await store.ClaimAsync(db, 1, cancellationToken, after: _failed[^1].Row.Sequence);
        if (next.Rows is not [var probe])
        {
            _failed.RemoveRange(1, _failed.Count - 1);
            return fault;
        }

        if (await send(next.Rows) is { } other)
        {
            if (_failed.Count == Most)
                _failed.RemoveRange(1, _failed.Count - 1);
            else
                _failed.Add((probe, OutboxFaults.Text(other)));
            return fault;
        }

        await sender.FallBackAsync(db, _failed);
        Passed();
        return null;
    }
}
