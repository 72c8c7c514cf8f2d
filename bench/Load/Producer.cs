namespace TaskQueue.Bench.Load;

/// <summary>Submits tasks over HTTP.</summary>
internal static class Producer
{
    private const int Connections = 4;
    private const int PerRequest = 500;

    /// <summary>Submits one task.</summary>
    public static async Task SubmitAsync(HttpClient http, string body, CancellationToken cancellationToken)
    {
        using var content = Bodies.Json(body);
        using var answer = await http.PostAsync("/tasks", content, cancellationToken);
        if (!answer.IsSuccessStatusCode)
            throw new BenchException($"POST /tasks: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellationToken)}");
    }

    /// <summary>Submits many tasks, 500 per request; the number must be a multiple of 500.</summary>
    public static Task SubmitManyAsync(HttpClient http, string queue, int tasks, CancellationToken cancellationToken)
    {
        var body = Bodies.Many(queue, PerRequest);
        return SubmitRequestsAsync(http, tasks, _ => body, cancellationToken);
    }

    /// <summary>Submits many tasks, 500 per request, each with a body derived from its number.</summary>
    public static Task SubmitManyAsync(HttpClient http, Func<long, string> bodyOf, long first, int tasks,
        CancellationToken cancellationToken) =>
        SubmitRequestsAsync(http, tasks,
            from => Bodies.Many(Enumerable.Range(0, PerRequest).Select(i => bodyOf(first + from + i))), cancellationToken);

    private static async Task SubmitRequestsAsync(HttpClient http, int tasks, Func<int, string> bodyFrom,
        CancellationToken cancellationToken)
    {
        var next = -PerRequest;
        await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => Task.Run(async () =>
        {
            while (Interlocked.Add(ref next, PerRequest) is var from && from + PerRequest <= tasks)
            {
                using var content = Bodies.Json(bodyFrom(from));
                using var answer = await http.PostAsync("/tasks/bulk", content, cancellationToken);
                if (!answer.IsSuccessStatusCode)
                    throw new BenchException($"POST /tasks/bulk: {(int)answer.StatusCode} "
                        + $"{await answer.Content.ReadAsStringAsync(cancellationToken)}");
            }
        }, cancellationToken)));
    }
}
