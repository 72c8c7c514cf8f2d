using System.CommandLine;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>quota</c>: shows the limits and the usage of a tenant.</summary>
internal static class QuotaCommand
{
    private static readonly Option<string?> Tenant = new("--tenant")
    {
        Description = "Another tenant, for administrators of all tenants. Default: the key's tenant.",
        HelpName = "NAME",
    };

    public static Command Create() => Session.Command("quota", "Shows the limits and the usage of a tenant.", RunAsync, Tenant);

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        var quota = await session.GetAsync(
            parsed.GetValue(Tenant) is { } tenant ? $"/quota?tenant={Uri.EscapeDataString(tenant)}" : "/quota", cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(quota);
            return ExitCode.Done;
        }

        var table = Output.NewTable("RESOURCE", "USED", "LIMIT");
        foreach (var resource in quota.EnumerateObject().Where(member => member.Value.ValueKind == System.Text.Json.JsonValueKind.Object))
            Output.AddRow(table, resource.Name, resource.Value.Cell("used"), resource.Value.Cell("limit"));
        session.Output.Table(table);
        return ExitCode.Done;
    }
}
