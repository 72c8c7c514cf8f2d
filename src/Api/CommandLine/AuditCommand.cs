using System.CommandLine;
using System.Globalization;

namespace TaskQueue.Api.CommandLine;

/// <summary><c>audit</c>: lists audit records, newest first.</summary>
internal static class AuditCommand
{
    private static readonly Option<string?> Actor = new("--actor") { Description = "Name of the caller." };
    private static readonly Option<string?> Tenant = new("--tenant") { Description = "Tenant of the caller." };
    private static readonly Option<string?> Action = new("--action") { Description = "Prefix of the action, such as queue. or auth." };
    private static readonly Option<string?> Target = new("--target") { Description = "The target, such as queue/mail." };
    private static readonly Option<string?> Result = new("--result") { Description = "Prefix of the result: done, refused or failed." };
    private static readonly Option<string?> Address = new("--address") { Description = "Address of the caller." };
    private static readonly Option<string?> From = new("--from") { Description = "Start: a time, or a duration ago such as 24h.",
        HelpName = "TIME" };
    private static readonly Option<string?> To = new("--to") { Description = "End: a time, or a duration ago.", HelpName = "TIME" };
    private static readonly Option<int?> Limit = new("--limit") { Description = "Maximum number of records, 1 to 1000. Default: 100." };
    private static readonly Option<string?> After = new("--after") { Description = "Value of next of the previous page; see --json." };

    public static Command Create() =>
        Session.Command("audit", "Lists administrative actions and refusals, newest first.", RunAsync, Actor, Tenant, Action, Target,
            Result, Address, From, To, Limit, After);

    private static async Task<int> RunAsync(Session session, ParseResult parsed, CancellationToken cancellationToken)
    {
        (string Name, string? Value)[] query =
        [
            ("actor", parsed.GetValue(Actor)), ("tenant", parsed.GetValue(Tenant)), ("action", parsed.GetValue(Action)),
            ("target", parsed.GetValue(Target)),
            ("result", parsed.GetValue(Result)), ("address", parsed.GetValue(Address)),
            ("from", TimeParser.Ago(parsed.GetValue(From), "--from")),
            ("to", TimeParser.Ago(parsed.GetValue(To), "--to")),
            ("limit", parsed.GetValue(Limit)?.ToString(CultureInfo.InvariantCulture)), ("after", parsed.GetValue(After)),
        ];
        var given = query.Where(q => q.Value is not null).Select(q => $"{q.Name}={Uri.EscapeDataString(q.Value!)}");
        var page = await session.GetAsync($"/audit?{string.Join('&', given)}", cancellationToken);
        if (session.Output.IsJson)
        {
            session.Output.Json(page);
            return ExitCode.Done;
        }

        var table = Output.NewTable("AT", "ACTION", "RESULT", "ACTOR", "TENANT", "TARGET", "ADDRESS", "COUNT");
        foreach (var record in page.GetProperty("records").EnumerateArray())
        {
            Output.AddRow(table, record.Cell("at"), record.Cell("action"), record.Cell("result"), record.Cell("actor"),
                record.Cell("tenant"), record.Cell("target"), record.Cell("address"),
                record.GetProperty("after").Cell("count"));
        }

        session.Output.Table(table);
        return ExitCode.Done;
    }
}
