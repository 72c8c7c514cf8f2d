using System.Text.Json;
using TaskQueue.Client;

namespace TaskQueue.Api.CommandLine;

/// <summary>Retries unanswered submissions. Safe, because the client chooses the ids and the server detects duplicates.</summary>
internal static class IdempotentRetry
{
    private const int Tries = 6;

    /// <exception cref="TaskQueueException">The server refused, or does not answer.</exception>
    public static async Task<JsonElement> PostAsync(Session session, string path, JsonElement body, CancellationToken cancellationToken)
    {
        var pause = TimeSpan.FromMilliseconds(200);
        for (var i = 1; ; i++)
        {
            try
            {
                return await session.PostAsync(path, body, cancellationToken);
            }
            catch (TaskQueueException fault) when (fault.IsTransient && i < Tries && !IsAbsent(fault, i))
            {
                if (i == 1)
                    Output.Error($"{fault.Message}; retrying for some seconds");
                await Task.Delay(fault.RetryAfter is { } wish && wish > pause ? wish : pause, cancellationToken);
                pause *= 2;
            }
        }
    }

    /// <summary>Whether no server listens at the address: retrying a wrong address does not help.</summary>
    private static bool IsAbsent(TaskQueueException fault, int tries) =>
        tries == 1
            && fault.InnerException is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError
                or HttpRequestError.NameResolutionError };
}
