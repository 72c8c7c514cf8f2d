using RabbitMQ.Client;
using TaskQueue.Contracts;

namespace TaskQueue.Bench.Servers;

/// <summary>The RabbitMQ broker of the run.</summary>
internal sealed class Broker(Uri address)
{
    /// <summary>Queue of the push scenarios.</summary>
    public const string PushQueue = "bench-push";

    /// <summary>Queue of the push scenario's reference.</summary>
    public const string RawQueue = "bench-raw";

    private static readonly string[] Queues = [Addresses.SubmitQueue, Addresses.ReportQueue, "tasks", PushQueue, RawQueue];

    public Task<IConnection> ConnectAsync() => new ConnectionFactory { Uri = address }.CreateConnectionAsync();

    /// <summary>Deletes the queues of earlier servers with their messages.</summary>
    public async Task CleanAsync()
    {
        await using var connection = await ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        foreach (var queue in Queues.SelectMany(q => new[] { q, q + "_error", q + "_skipped" }))
            await channel.QueueDeleteAsync(queue);
    }

    public async Task<string> VersionAsync()
    {
        await using var connection = await ConnectAsync();
        return connection.ServerProperties?["version"] is byte[] version ? System.Text.Encoding.UTF8.GetString(version) : "unknown";
    }
}
