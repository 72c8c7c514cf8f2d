using System.Diagnostics;
using Grpc.Core;
using Grpc.Net.Client;
using TaskQueue.Rpc.V1;

namespace TaskQueue.Bench.Load;

/// <summary>No-op workers that claim over a stream of gRPC and report completion: as many tasks at a time as those over HTTP.</summary>
internal static class GrpcWorker
{
    /// <summary>Runs concurrent workers until they have claimed and reported the given number of tasks.</summary>
    /// <returns>Tasks per second.</returns>
    public static async Task<double> RunAsync(Uri server, int workers, int max, int total, CancellationToken cancellationToken)
    {
        var left = total;
        var since = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, workers).Select(_ => Task.Run(async () =>
        {
            using var channel = GrpcChannel.ForAddress(server, new GrpcChannelOptions { MaxReceiveMessageSize = null });
            var client = new Workers.WorkersClient(channel);
            using var claim = client.Claim(cancellationToken: cancellationToken);
            await claim.RequestStream.WriteAsync(
                new ClaimRequest { Queues = { Bodies.PullQueue }, Worker = "bench", LeaseSeconds = 15 }, cancellationToken);
            while (Interlocked.Add(ref left, -max) >= 0)
            {
                await claim.RequestStream.WriteAsync(new ClaimRequest { Credit = max }, cancellationToken);
                await TakeAsync(client, claim.ResponseStream, max, cancellationToken);
            }

            await claim.RequestStream.CompleteAsync();
            while (await claim.ResponseStream.MoveNext(cancellationToken))
            {
                if (claim.ResponseStream.Current.Tasks.Count > 0)
                    throw new BenchException("a claim without credit got tasks");
            }
        }, cancellationToken)));
        return total / Stopwatch.GetElapsedTime(since).TotalSeconds;
    }

    private static async Task TakeAsync(Workers.WorkersClient client, IAsyncStreamReader<ClaimAnswer> answers, int max,
        CancellationToken cancellationToken)
    {
        for (var taken = 0; taken < max;)
        {
            if (!await answers.MoveNext(cancellationToken))
                throw new BenchException("the server ended a claim");
            var report = new ReportRequest();
            foreach (var task in answers.Current.Tasks)
                report.Tasks.Add(new Report { Id = task.Id, Attempt = task.Attempt, Outcome = Outcome.Completed });
            if (report.Tasks.Count == 0)
                continue; // a sign of life
            var codes = (await client.ReportAsync(report, cancellationToken: cancellationToken)).Codes;
            if (codes.Count(c => c == AnswerCode.Ok) is var ok && ok != report.Tasks.Count)
                throw new BenchException($"of {report.Tasks.Count} reported tasks {ok} were accepted");
            taken += report.Tasks.Count;
        }
    }
}
