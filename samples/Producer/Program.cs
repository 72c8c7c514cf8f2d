// A producer of the .NET client: SampleProducer http://localhost:8080 QUEUE TEXT
using System.Text.Json.Serialization;
using Microsoft.Extensions.DependencyInjection;
using TaskQueue.Client;

if (args.Length != 3)
{
    await Console.Error.WriteLineAsync("usage: SampleProducer http://localhost:8080 QUEUE TEXT");
    return 2;
}

await using var services = new ServiceCollection()
    .AddTaskQueueClient(client =>
    {
        client.BaseAddress = new Uri(args[0]);
        client.ApiKey = Environment.GetEnvironmentVariable("TASKQUEUE_KEY");
    })
    .BuildServiceProvider();
var queue = services.GetRequiredService<TaskQueueClient>();

var task = await queue.EnqueueAsync(args[1], "upper", new Words(args[2]), AppJson.Default.Words);
var shout = await queue.WaitForResultAsync(task.Id, AppJson.Default.Shout, TimeSpan.FromMinutes(1));
Console.WriteLine(shout?.Output);
return 0;

internal sealed record Words(string Text);

internal sealed record Shout(string Output);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Words))]
[JsonSerializable(typeof(Shout))]
internal sealed partial class AppJson : JsonSerializerContext;
