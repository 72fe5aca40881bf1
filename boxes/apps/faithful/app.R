# Old Faithful: how long one waits for the next eruption.

library(shiny)

ui <- fluidPage(
  titlePanel("Old Faithful"),
  sidebarLayout(
    sidebarPanel(
      sliderInput("bins", "Number of bins:", min = 5, max = 50, value = 30)
    ),
    mainPanel(
      plotOutput("histogram"),
      textOutput("summary")
    )
  )
)

server <- function(input, output, session) {
  waiting <- faithful$waiting

  output$histogram <- renderPlot({
    breaks <- seq(min(waiting), max(waiting), length.out = input$bins + 1)
    hist(
      waiting,
      breaks = breaks,
      col = "steelblue", border = "white",
      main = "Waiting time to the next eruption",
      xlab = "Minutes"
    )
  })

  output$summary <- renderText({
    sprintf(
      "%d eruptions in %d bins; the median wait is %.0f minutes",
      length(waiting), input$bins, median(waiting)
    )
  })
}

shinyApp(ui, server)
