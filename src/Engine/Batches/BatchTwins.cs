using System.Security.Cryptography;
using System.Text;

namespace TaskQueue.Engine.Batches;

/// <summary>
/// Finds identical requests of a batch: the first becomes a task, each further one a note among the invalid items, from which the result is
/// copied when the batch ends. Holds a short key for each request.
/// </summary>
public sealed class BatchTwins
{
    /// <summary>Code of an item that gets the result of another; the message is the key of both.</summary>
    public const string Code = "same_request";

    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);

    private BatchTwins()
    {
    }

    /// <summary>Reads the requests before the position of a batch, so that a scheduler that takes over knows them.</summary>
    public static async Task<BatchTwins> ReadAsync(BatchState batch, Stream input, int maxPayload, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var twins = new BatchTwins();
        if (batch.LinesDone == 0)
            return twins;
        await foreach (var line in BatchInput.ReadAsync(input, 0, maxPayload, cancellationToken))
        {
            if (line.End > batch.BytesDone)
                break;
            twins.Mark(BatchItem.Parse(line.Text, batch, maxPayload));
        }

        return twins;
    }

    /// <summary>The item with its key, or the note that takes its place because an identical request came before.</summary>
    public BatchItem Mark(BatchItem item)
    {
        ArgumentNullException.ThrowIfNull(item);
        if (item.Body is null)
            return item;
        var key = KeyOf(item.Body);
        return _keys.Add(key) ? item with { Twins = key } : item with { Body = null, Problem = new BatchProblem(Code, key, null) };
    }

    /// <summary>The key of a request: requests with the same text have the same.</summary>
    private static string KeyOf(string body) => Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(body)));
}
