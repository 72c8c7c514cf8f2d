using System.Diagnostics;
using OpenTelemetry;

namespace TaskQueue.Api.Operations;

/// <summary>
/// Leaves out MassTransit's spans of the in-process mediator, several for each command of a request: what they would say is
/// in the span of the request, and those of the bus are of interest.
/// </summary>
internal sealed class NoMediatorSpans : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        if (data.Source.Name == "MassTransit")
            Console.Error.WriteLine($"MT {data.DisplayName} {data.Kind} {data.OperationName} parent={data.ParentId} {string.Join(' ', data.TagObjects.Select(t => $"{t.Key}={t.Value}"))}");
    }
}
