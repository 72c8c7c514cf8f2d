using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.Deployment;

/// <summary>A script of tests/Clients: JSON in, JSON out.</summary>
internal static class NodeScript
{
    public static async Task<T> RunAsync<T>(string script, object input)
    {
        var folder = Repository.Clients;
        using var node = new Command("node", [Path.Combine(folder, script)], input: JsonSerializer.Serialize(input));
        (await node.WaitAsync(TimeSpan.FromSeconds(90))).ShouldBe(0, node.Output);
        return JsonSerializer.Deserialize<T>(string.Join('\n', node.Results), JsonSerializerOptions.Web)!;
    }
}
