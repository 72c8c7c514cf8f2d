using System.Diagnostics;
using OpenTelemetry;

namespace TaskQueue.Api.Operations;

/// <summary>
/// Leaves out MassTransit's spans of the in-process mediator, one for each command: that of the request or of the task says as
/// much, and only those of the bus tell something new.
/// </summary>
internal sealed class NoMediatorSpans : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        if (data.Source.Name == "MassTransit" && data.GetTagItem("messaging.destination.name") is "mediator")
            data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded; // what exporters go by
    }
}
