// A worker of the .NET client: SampleWorker http://localhost:8080 QUEUE
using System.Text.Json.Serialization;
using Microsoft.Extensions.Hosting;
using TaskQueue.Client;

if (args.Length != 2)
{
    await Console.Error.WriteLineAsync("usage: SampleWorker http://localhost:8080 QUEUE");
    return 2;
}

var builder = Host.CreateApplicationBuilder();
builder.Services.AddTaskQueueWorker(
    worker =>
    {
        worker.Queues.Add(args[1]);
        worker.Concurrency = 4;
        worker.UnknownNames = UnknownNames.Fail;
        worker.AddProcessor("upper", AppJson.Default.Words, AppJson.Default.Shout, async (words, task, cancellationToken) =>
        {
            await task.ReportProgressAsync("""{"done":0.5}""");
            await Task.Delay(TimeSpan.FromMilliseconds(10), cancellationToken);
            return new Shout(words.Text.ToUpperInvariant());
        });
    },
    client =>
    {
        client.BaseAddress = new Uri(args[0]);
        client.ApiKey = Environment.GetEnvironmentVariable("TASKQUEUE_KEY");
    });
await builder.Build().RunAsync();
return 0;

internal sealed record Words(string Text);

internal sealed record Shout(string Output);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Words))]
[JsonSerializable(typeof(Shout))]
internal sealed partial class AppJson : JsonSerializerContext;
