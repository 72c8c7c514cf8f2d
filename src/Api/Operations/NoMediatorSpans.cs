using System.Diagnostics;
using OpenTelemetry;

namespace TaskQueue.Api.Operations;

/// <summary>
/// Drops MassTransit's spans of the in-process mediator, one per command for a batch: the request's or task's span carries the same
/// information. Spans of the bus are kept.
/// </summary>
internal sealed class NoMediatorSpans : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        if (data.Source.Name == "MassTransit" && data.GetTagItem("messaging.destination.name") is "mediator")
            data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded; // exporters check this flag
    }
}
