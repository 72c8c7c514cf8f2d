using Shouldly;
using TaskQueue.Tests.EndToEnd;
using Xunit;

namespace TaskQueue.Tests.Deployment;

/// <summary>The packages, installed from a feed that is a folder, in projects that know nothing of the repository.</summary>
[Collection(PackagesCollection.Name)]
public sealed class PackageConsumerTests(PackedPackages packages, ServersStack stack) : IClassFixture<ServersStack>
{
    private readonly string _queue = $"p{Guid.NewGuid():N}";

    public static TheoryData<string> Projects => [.. PackedPackages.Projects];

    [Theory]
    [MemberData(nameof(Projects))]
    public async Task A_fresh_project_with_the_package_runs_the_program_of_its_README(string project)
    {
        var consumer = PackageConsumers.All.Single(c => c.Project == project);
        if (project == "Client.RabbitMq")
            (await stack.Http.PutAsync($"/queues/{_queue}", new { delivery = "push" })).Status.ShouldBeLessThan(300);

        var output = await packages.RunConsumerAsync(
            consumer.Name, stack.Http.BaseAddress!.ToString(), stack.RabbitMq!, _queue, packages.FolderOf($"{_queue}.db"));

        output.ShouldContain(consumer.Prints);
        if (consumer.Leaves is { } name)
            (await stack.Http.ClaimAsync(_queue, wait_seconds: 20)).ShouldHaveSingleItem().Text("name").ShouldBe(name);
    }
}
