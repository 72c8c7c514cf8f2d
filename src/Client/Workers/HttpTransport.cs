using System.Text.Json;
using Microsoft.Extensions.Logging;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Claims tasks from pull queues over HTTP.</summary>
internal sealed class HttpTransport(TaskQueueWorkerOptions options, IHttpClientFactory clients, TimeProvider time,
    ILogger<HttpTransport> logger) : PullTransport(options, time, logger)
{
    private readonly TaskQueueWorkerOptions _options = options;

    protected override async Task FetchOnceAsync(InFlightAttempts attempts, int room, CancellationToken enough, CancellationToken giveUp)
    {
        var request = new ClaimRequest(_options.Queues, _options.Name, room, _options.Lease?.TotalSeconds, WaitSeconds, Info);
        var answer = await clients.Connect().SendAsync(
            HttpMethod.Post, "/workers/claim", request, WorkerJson.Default.ClaimRequest, WorkerJson.Default.ClaimAnswer, giveUp);
        Claimed(attempts, answer.Tasks, answer.Drain);
    }

    protected override Task<LineAnswers> CallAsync(HeartbeatRequest request, CancellationToken cancellationToken) =>
        clients.Connect().SendAsync(HttpMethod.Post, "/workers/heartbeat", request, WorkerJson.Default.HeartbeatRequest,
            WorkerJson.Default.LineAnswers, cancellationToken);

    protected override Task<LineAnswers> CallAsync(ReportRequest request, CancellationToken cancellationToken) =>
        clients.Connect().SendAsync(HttpMethod.Post, "/workers/report", request, WorkerJson.Default.ReportRequest,
            WorkerJson.Default.LineAnswers, cancellationToken);

    protected override Task CallAsync(StoppedRequest request, CancellationToken cancellationToken) =>
        clients.Connect().CallAsync(HttpMethod.Post, "/workers/stopped",
            JsonSerializer.SerializeToElement(request, WorkerJson.Default.StoppedRequest), cancellationToken);
}
